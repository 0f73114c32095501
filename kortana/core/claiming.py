"""Who gets a task: claims and denials. The service of claims that wait: `serving`."""

from kortana.core.index import is_completed
from kortana.core.state import Agent, State
from kortana.core.task import BLOCKED, CANCELLED, COMPLETED, FAILED, IN_PROGRESS, Task
from kortana.core.turn import Turn, brief
from kortana.core.waiting import Waiter
from kortana.protocol import payloads, reasons
from kortana.protocol.event import Event
from kortana.protocol.names import is_name
from kortana.protocol.timestamps import ms_from_iso

MAX_WAIT_S = 24 * 3600.0
MAX_WAITING_PER_AGENT = 64


def decide_claim(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """TASK_CLAIM: grants, renews, denies, or waits."""
    asked = payloads.read_payload(payloads.TaskClaim, event.payload)
    if isinstance(asked, str):
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, asked)
    if (asked.ttl_s is not None and not 0 < asked.ttl_s <= turn.state.limits.max_lease_ttl_s) or asked.wait_s < 0:
        detail = f"ttl_s: more than 0, at most {turn.state.limits.max_lease_ttl_s:g}; wait_s: 0 or more"
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, detail)
    having = frozenset(asked.having)
    name, refusal = choose(turn.state, event.source, event.task_id, having)
    if name is not None:
        return grant(turn, conn, event, name, asked.ttl_s, tied)
    if asked.wait_s > 0 and _may_wait(turn.state, event, refusal):
        waiter = Waiter(event, conn, asked.ttl_s, turn.state.seq, refusal, tied, having)
        left_s = min(asked.wait_s, MAX_WAIT_S) - _waited_s(turn, event)
        turn.state.waiters.add(waiter, turn.now + max(left_s, 0.0))
        return _keep_room(turn)
    return deny(turn, conn, event, refusal)


def _keep_room(turn: Turn) -> None:
    """For the next input. The state forgets the oldest of too many that are undecided: one that waits ends its wait
    before, or it would be told of a grant that nobody knows of."""
    if len(turn.state.pending) >= turn.state.limits.pending_kept:
        end_wait(turn, next(iter(turn.state.pending)))


def end_wait(turn: Turn, event_id: str) -> None:
    """Refuses a waiting claim whose time is over, with what stands against it now."""
    waiter = turn.state.waiters.pop(event_id)
    if waiter is not None:
        _, refusal = choose(turn.state, waiter.event.source, waiter.event.task_id, waiter.having)
        deny(turn, waiter.conn, waiter.event, refusal or waiter.refusal)


def _waited_s(turn: Turn, event: Event) -> float:
    """How long a claim has waited that is asked again, on another connection; its claimant counts from the beginning.
    By the wall clock: the monotonic one may be another machine's."""
    return max(turn.wall_ms - ms_from_iso(turn.state.pending[event.id].recorded_at), 0) / 1000


HOPELESS = frozenset({reasons.TASK_TERMINAL, reasons.UNKNOWN_TASK, reasons.TASK_QUARANTINED, reasons.BAD_PAYLOAD})


def _may_wait(state: State, event: Event, refusal: str) -> bool:
    """Waiting makes sense where the refusal can pass; a missing capability stays missing for this claim by id."""
    if refusal in HOPELESS or (refusal == reasons.MISSING_CAPABILITY and event.task_id is not None):
        return False
    return state.waiters.count(event.source) < MAX_WAITING_PER_AGENT


def choose(state: State, source: str, wanted: str | None, having: frozenset[str]) -> tuple[str | None, str]:
    """The task to grant, or None and the reason against it. Parks what a path reservation keeps back."""
    agent = state.agent(source)
    if wanted is not None:
        refusal = refusal_of(state, agent, wanted)
        if refusal == reasons.PATH_CONFLICT:
            park_if_obstructed(state, wanted)
        return (None, refusal) if refusal else (wanted, "")
    if len(agent.tasks) >= state.limits.max_leases_per_agent:
        return None, reasons.TOO_MANY_LEASES
    capabilities = frozenset(agent.capabilities)
    while (name := state.ready.best(capabilities, having)) is not None:
        if not park_if_obstructed(state, name):
            return name, ""
    return None, reasons.NOTHING_READY


def park_if_obstructed(state: State, name: str) -> bool:
    """Whether a path reservation keeps a ready task back; it comes back when that ends."""
    paths = state.tasks[name].paths
    obstacle = state.reserved.in_the_way(paths, state.ready.pattern_of(name)) if paths else None
    if obstacle is not None:
        state.ready.park(name, obstacle[1])
    return obstacle is not None


def refusal_of(state: State, agent: Agent, name: str) -> str:
    """Why `agent` may not claim the task `name` now; empty where it may."""
    task = state.tasks.get(name)
    if task is None:
        if not is_name(name):
            return reasons.BAD_PAYLOAD
        if not state.limits.adhoc_tasks:
            return reasons.UNKNOWN_TASK
    elif task.owner is not None:
        return "" if task.owner == agent.name else reasons.TASK_ALREADY_LEASED
    else:
        refusal = _standing_against(state, agent, task)
        if refusal:
            return refusal
    if len(agent.tasks) >= state.limits.max_leases_per_agent:
        return reasons.TOO_MANY_LEASES
    return ""


_STATUS_REFUSALS = {
    COMPLETED: reasons.TASK_TERMINAL,
    CANCELLED: reasons.TASK_TERMINAL,
    FAILED: reasons.TASK_QUARANTINED,
    BLOCKED: reasons.TASK_BLOCKED,
}


def _standing_against(state: State, agent: Agent, task: Task) -> str:
    if task.status in _STATUS_REFUSALS:
        return _STATUS_REFUSALS[task.status]
    if state.unmet.get(task.id):
        return reasons.DEPENDENCIES_UNMET
    if not set(agent.capabilities).issuperset(task.requires):
        return reasons.MISSING_CAPABILITY
    if task.paths and state.reserved.in_the_way(task.paths) is not None:
        return reasons.PATH_CONFLICT
    return ""


def grant(turn: Turn, conn: int, event: Event, name: str, ttl_s: float | None, tied: bool) -> None:
    """Grants `name` to the claimant, or renews it where the claimant holds it already (same token)."""
    state = turn.state
    limits = state.limits
    task = state.tasks.get(name) or Task(name, max_attempts=limits.max_attempts)
    renewal = task.owner is not None
    ttl = min(
        ttl_s or (task.lease_ttl_s if renewal else task.ttl_s) or limits.lease_ttl_s, limits.max_lease_ttl_s
    )
    token = task.lease_token if renewal else state.seq + 1
    lease = {"token": token, "ttl_s": ttl, "expires_at": turn.expires_at(ttl)}
    if tied:
        lease["tied"] = True
        if not renewal:
            state.tied[name] = conn
    status = task.status if renewal else IN_PROGRESS
    turn.granted += 1
    turn.accept(conn, event, task=brief(task, status, event.source), lease=lease)


def deny(turn: Turn, conn: int, event: Event, reason: str) -> None:
    """Refuses a claim; where another agent holds the task, a directive tells the claimant who (rule 2)."""
    task = turn.state.tasks.get(event.task_id or "")
    if reason == reasons.TASK_ALREADY_LEASED and task is not None:
        turn.denied += 1
        told = {"instruction": "claim_denied", "reason": f"Task leased by {task.owner}"}
        turn.directive(event.source, event.task_id, told)
    turn.refuse(conn, event, reason, explain(turn.state, event.source, event.task_id, reason))


def explain(state: State, source: str, name: str | None, reason: str) -> str:
    """One sentence for the person behind the claimant."""
    task = state.tasks.get(name or "")
    if task is None:
        if reason == reasons.BAD_PAYLOAD:
            return "task_id: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit"
        return ""
    if reason == reasons.TASK_ALREADY_LEASED:
        return f"held by {task.owner} until {task.lease_expiry}"
    if reason == reasons.DEPENDENCIES_UNMET:
        return "waits for " + ", ".join(unmet_dependencies(state, task))
    if reason == reasons.MISSING_CAPABILITY:
        return "needs " + ", ".join(sorted(set(task.requires) - set(state.agent(source).capabilities)))
    if reason == reasons.PATH_CONFLICT and (obstacle := state.reserved.in_the_way(task.paths)) is not None:
        return f"its paths are reserved by {obstacle[0]}"
    if reason == reasons.TASK_BLOCKED and task.blocker:
        return str(task.blocker["reason"])
    return f"the task is {task.status}"


def unmet_dependencies(state: State, task: Task) -> list[str]:
    return [name for name in task.depends_on if not is_completed(state, name)]
