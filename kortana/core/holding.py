"""What a holder may say of its task: renewals, updates, blockers, releases; and how leases end."""

from typing import Any

from kortana.core.index import is_completed
from kortana.core.state import State
from kortana.core.task import BLOCKED, COMPLETED, IN_PROGRESS, PENDING, TERMINAL, Task
from kortana.core.turn import Turn
from kortana.protocol import event as ev
from kortana.protocol import payloads, reasons
from kortana.protocol.event import Event


def _held_task(turn: Turn, conn: int, event: Event, token: int | None) -> Task | None:
    """The live-leased task of the sender that the event names, or None after a refusal (rule 4)."""
    state = turn.state
    if event.task_id is None:
        turn.refuse(conn, event, reasons.MISSING_TASK_ID)
        return None
    task = state.tasks.get(event.task_id)
    refusal = _refusal_to_speak(task, event.source, token)
    if refusal:
        turn.refuse(conn, event, refusal)
        return None
    return task


def _refusal_to_speak(task: Task | None, source: str, token: int | None) -> str:
    if task is None:
        return reasons.UNKNOWN_TASK
    if task.status in TERMINAL:
        return reasons.TASK_TERMINAL
    if token is not None and token != task.lease_token:
        return reasons.STALE_LEASE
    if task.owner is None:
        return reasons.NOT_OWNER
    if task.owner != source:
        return reasons.task_owned_by(task.owner)
    return ""


def decide_heartbeat(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """HEARTBEAT: renews the named lease, or all of the sender's; with a token, only the lease that has it."""
    asked = payloads.read_payload(payloads.Heartbeat, event.payload)
    if isinstance(asked, str):
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, asked)
    if event.task_id is not None:
        task = _held_task(turn, conn, event, asked.token)
        if task is None:
            return None
        held = [task]
    else:
        held = [turn.state.tasks[name] for name in turn.state.agent(event.source).tasks]
        if asked.token is not None:
            held = [task for task in held if task.lease_token == asked.token]
            if not held:
                return turn.refuse(conn, event, reasons.STALE_LEASE, f"no lease has the token {asked.token}")
    renewed = {task.id: turn.expires_at(task.lease_ttl_s or 0.0) for task in held}
    return turn.accept(conn, event, result={"renewed": renewed})


def decide_update(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """TASK_UPDATE by the holder."""
    asked = payloads.read_payload(payloads.TaskUpdate, event.payload)
    if isinstance(asked, str):
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, asked)
    if asked.progress is not None and not 0 <= asked.progress <= 100:
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, "progress: 0 to 100, percent")
    if asked.status not in _OUTCOMES:
        return turn.refuse(conn, event, reasons.BAD_STATUS, "one of " + ", ".join(_OUTCOMES))
    task = _held_task(turn, conn, event, asked.token)
    if task is None:
        return None
    was_blocked, blocker = task.status == BLOCKED, task.blocker
    attempts = task.attempts + (asked.status == "failed")
    turn.accept(conn, event, task={"id": task.id, "status": _OUTCOMES[asked.status], "attempts": attempts})
    if was_blocked and asked.status == IN_PROGRESS:
        _tell_unblocked(turn, task.id, event.source, blocker, "resumed_by_owner")
    if asked.status == "failed":
        quarantine_if_spent(turn, task, f"failed: {asked.details}" if asked.details else "failed")
    if asked.status == COMPLETED:
        unblock_needing(turn, task.id)
    return None


_OUTCOMES = {
    "in_progress": IN_PROGRESS,
    "blocked": BLOCKED,
    "completed": COMPLETED,
    "failed": PENDING,
    "pending": PENDING,
}
"""Status in an update → status of the task afterwards. A failed task is pending again until it is quarantined."""


def unblock_needing(turn: Turn, completed: str) -> None:
    """Puts blocked tasks back to work when everything that they need is completed (rule 5)."""
    needing = turn.state.needed_by.get(completed)
    for name in sorted(needing) if needing else ():
        task = turn.state.tasks[name]
        if task.blocker is not None and _needs_met(turn.state, task.blocker):
            _tell_unblocked(turn, name, task.owner or task.blocker["by"], task.blocker, "needs_completed")


def _tell_unblocked(turn: Turn, task: str, worker: str, blocker: dict[str, Any] | None, reason: str) -> None:
    """DIRECTIVE unblocked: to who is at work on the task, or was; then to all others, who were told to replan (rule 5).

    blocker: None where it was only said to be blocked, by an update; then there are no others.
    """
    told: dict[str, Any] = {"instruction": "unblocked", "reason": reason, "by": worker, "task_id": task}
    if blocker is not None:
        told["needs"] = blocker["needs"]
    turn.directive(worker, task, told)
    for name in sorted(turn.state.agents) if blocker is not None else ():
        if name != worker:
            turn.directive(name, task, told)


def _needs_met(state: State, blocker: dict[str, Any]) -> bool:
    needs = blocker["needs"]
    return bool(needs) and all(is_completed(state, name) for name in needs)


def decide_blocker(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """BLOCKER: the task is blocked, and all others are told to replan, once for each blocker."""
    asked = payloads.read_payload(payloads.Blocker, event.payload)
    if isinstance(asked, str):
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, asked)
    task = _held_task(turn, conn, event, asked.token)
    if task is None:
        return None
    blocker = {"reason": asked.reason, "needs": list(asked.needs), "by": event.source}
    repeated = task.blocker == blocker
    turn.accept(conn, event, task={"id": task.id, "status": BLOCKED, "attempts": task.attempts})
    if not repeated:
        told = {
            "instruction": "replan", "reason": "blocker_reported", "by": event.source, "task_id": task.id,
            "details": {"reason": asked.reason, "needs": list(asked.needs)},
        }  # fmt: skip
        for name in sorted(turn.state.agents):
            if name != event.source:
                turn.directive(name, task.id, told)
    if _needs_met(turn.state, blocker):
        unblock_needing(turn, asked.needs[0])
    return None


def decide_release(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """TASK_RELEASE: the holder gives its task back; an operator takes a task from whoever holds it.

    What a holder gives back blocked stays blocked: until the tasks that it needs are completed, or, where it needs
    something else, until a person releases it. Another agent would only meet the same blocker.
    """
    asked = payloads.read_payload(payloads.TaskRelease, event.payload)
    if isinstance(asked, str):
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, asked)
    if event.source != ev.OPERATOR:
        task = _held_task(turn, conn, event, asked.token)
        if task is not None:
            status = BLOCKED if task.status == BLOCKED else _status_without_holder(task)
            turn.accept(conn, event, task={"id": task.id, "status": status, "attempts": task.attempts})
        return None
    task = turn.state.tasks.get(event.task_id or "")
    if task is None or task.status in TERMINAL or (task.owner is None and task.status != BLOCKED):
        reason = reasons.UNKNOWN_TASK if task is None else reasons.NOT_OWNER
        reason = reasons.TASK_TERMINAL if task is not None and task.status in TERMINAL else reason
        return turn.refuse(conn, event, reason, "" if task is None else "nobody holds it")
    owner, was_blocked, blocker = task.owner, task.status == BLOCKED, task.blocker
    worker = owner or (blocker["by"] if blocker is not None else None)
    turn.accept(conn, event, task={"id": task.id, "status": PENDING, "attempts": task.attempts})
    if worker is not None and was_blocked:
        _tell_unblocked(turn, task.id, worker, blocker, "released_by_operator")
    if owner is not None:
        turn.directive(owner, task.id, {"instruction": "lease_released", "reason": "released_by_operator"})
    return None


def end_lease_early(turn: Turn, task: Task, why: str, clean: bool, crash_id: str | None = None) -> None:
    """LEASE_RELEASED: the holder is gone. Costs the task an attempt unless the holder ended cleanly (rule 7)."""
    _end(turn, task, ev.LEASE_RELEASED, why, task.attempts + (not clean), crash_id)
    quarantine_if_spent(turn, task, why)


def expire_lease(turn: Turn, task: Task) -> None:
    """LEASE_EXPIRED: the deadline has passed without a renewal (rule 6)."""
    turn.expired += 1
    _end(turn, task, ev.LEASE_EXPIRED, "not renewed in time", task.attempts + 1)
    quarantine_if_spent(turn, task, "lease expired")


def _status_without_holder(task: Task) -> str:
    """A blocked task that needs others stays blocked until they are completed; any other is pending."""
    return BLOCKED if task.blocker is not None and task.blocker["needs"] else PENDING


def _end(turn: Turn, task: Task, kind: str, why: str, attempts: int, crash_id: str | None = None) -> None:
    payload: dict[str, Any] = {
        "by": task.owner, "token": task.lease_token, "reason": why,
        "status": _status_without_holder(task), "attempts": attempts,
    }  # fmt: skip
    if crash_id:
        payload["crash_id"] = crash_id
    turn.say(task.owner or ev.ALL, kind, task.id, payload, priority="high")


def quarantine_if_spent(turn: Turn, task: Task, why: str) -> None:
    """TASK_QUARANTINED once a task has used up its attempts (rule 8)."""
    if task.attempts >= task.max_attempts and task.owner is None:
        reason = f"{task.attempts} attempts, the last: {why}"
        payload = {"attempts": task.attempts, "reason": reason, "crashes": list(task.crashes)}
        turn.say(ev.ALL, ev.TASK_QUARANTINED, task.id, payload, priority="high")


def release_all(turn: Turn, agent: str, why: str, clean: bool, crash_id: str | None = None) -> None:
    """Ends the leases of an agent that is gone."""
    for name in list(turn.state.agent(agent).tasks):
        end_lease_early(turn, turn.state.tasks[name], why, clean, crash_id)


def finish_torn(turn: Turn, last_task: str | None) -> None:
    """Draws the consequences of the last record, where a crash has torn them off: a decision is several records.

    None of them was ever acknowledged, but their cause may be in the journal. Only where the whole process is new:
    otherwise a worker may be up whose AGENT_UP has yet to be journaled again.
    """
    state = turn.state
    for agent in [state.agents[name] for name in sorted(state.agents)]:
        if agent.supervised and not agent.up and agent.tasks:
            release_all(turn, agent.name, "its worker had ended", True)
    task = state.tasks.get(last_task or "")
    if task is not None and task.status == PENDING:
        quarantine_if_spent(turn, task, task.details or "the worker was lost")
    for needed in sorted(state.needed_by):
        if is_completed(state, needed):
            unblock_needing(turn, needed)
