"""How a journaled record changes the state. Replay is this, folded over the journal; it decides nothing.

An input (a claim, an update, ...) changes nothing by itself: it is remembered until its ACK, and the ACK,
which is the decision, applies it. What the coordinator says on its own (an expiry, a release) applies at once.
"""

from typing import Any

import msgspec

from kortana.core.blocking import block, unblock
from kortana.core.editing import apply_edit, keeps_lease
from kortana.core.index import add_task, leave_status, remove_task, reset_task, set_status
from kortana.core.mailboxes import confirm, deliver
from kortana.core.state import Limits, State
from kortana.core.task import BLOCKED, CANCELLED, FAILED, IN_PROGRESS, PENDING, Task
from kortana.protocol import event as ev
from kortana.protocol.event import Event, Record

MAX_CRASHES = 16
"""How many crash records a task remembers."""
_SELF_APPLIED = frozenset({ev.LEASE_EXPIRED, ev.LEASE_RELEASED, ev.TASK_QUARANTINED, ev.AGENT_UP, ev.AGENT_DOWN})


def evolve(state: State, record: Record, now: float) -> None:
    """Applies one record. `now` (monotonic seconds) only sets deadlines, which are not part of the state."""
    event = record.event
    state.seq = record.seq
    state.recorded_at = record.recorded_at
    state.last_task = event.task_id
    kind = event.event_type
    if kind == "ACK":
        if event.source == "coordinator":
            _answered(state, record, now)
        else:
            confirm(state, event)
    elif kind in _SELF_APPLIED:
        _APPLY[kind](state, event, record, event.payload, now)
        deliver(state, record)
    elif event.source == ev.COORDINATOR:
        if event.target == ev.COORDINATOR:
            _noted(state, event.payload)
        else:
            _note_unblocked(state, event, record)
            deliver(state, record)
    else:
        state.pending[event.id] = record
        if event.source not in state.agents and event.source != ev.OPERATOR:
            state.agent(event.source)
        if len(state.pending) > state.limits.pending_kept:
            state.pending.popitem(last=False)


def _answered(state: State, record: Record, now: float) -> None:
    payload = record.event.payload
    event_id = payload["ack_for_event_id"]
    asked = state.pending.pop(event_id, None)
    if asked is None:
        return
    state.answers.add(event_id, (asked.digest, record.body), state.limits.answers_kept)
    event = asked.event
    agent = state.agents.get(event.source)
    if agent is not None:
        agent.heartbeat = record.recorded_at
        agent.seen = True
    if payload["accepted"]:
        apply = _APPLY.get(event.event_type)
        if apply is not None:
            apply(state, event, record, payload, now)
        if event.target != "coordinator":
            deliver(state, asked)


def _noted(state: State, note: dict[str, Any]) -> None:
    """The coordinator's word to itself; of these only settings, and who is declared, change the state."""
    if "limits" in note:
        state.limits = msgspec.convert(note["limits"], Limits)
    for name in note.get("workers", ()):
        agent = state.agent(name)
        agent.supervised = True
        state.came(agent)


def _claimed(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    lease, name = answer["lease"], answer["task"]["id"]
    if name not in state.tasks:
        add_task(state, Task(name, IN_PROGRESS, created_seq=record.seq, max_attempts=state.limits.max_attempts))
    task = state.changing(name)
    token, ttl_s = lease["token"], lease["ttl_s"]
    fresh = task.lease_token != token
    task.owner = event.source
    task.lease_token = token
    task.lease_ttl_s = ttl_s
    task.lease_expiry = lease["expires_at"]
    task.updated_at = record.recorded_at
    if fresh:
        task.progress = None
        task.tied = bool(lease.get("tied"))
        state.agent(event.source).tasks[name] = None
        if task.paths:
            state.reserved.add(name, task.paths)
        set_status(state, task, IN_PROGRESS)
    state.deadlines.set(name, now + ttl_s)


def _renewed(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    for name, expires_at in answer["result"]["renewed"].items():
        task = state.changing(name)
        task.lease_expiry = expires_at
        state.deadlines.set(name, now + (task.lease_ttl_s or 0.0))
        if name == event.task_id:
            task.details = event.payload.get("details", "") or task.details


def _updated(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    task, payload = state.changing(answer["task"]["id"]), event.payload
    task.details = payload.get("details", "") or task.details
    progress = payload.get("progress")
    if progress is not None:
        task.progress = progress
    if "result" in payload:
        task.result = payload["result"]
    _settle(state, task, answer["task"], record)


def _settle(state: State, task: Task, outcome: dict[str, Any], record: Record) -> None:
    """Brings a task to the status, and the attempts, that the decision names."""
    status = outcome["status"]
    if status == "completed":
        task.progress = 100.0
    if status != IN_PROGRESS and status != BLOCKED:
        end_lease(state, task)
    if status == BLOCKED:
        task.blocked = True
    else:
        unblock(state, task)
    task.attempts = outcome.get("attempts", task.attempts)
    task.updated_at = record.recorded_at
    set_status(state, task, status)


def end_lease(state: State, task: Task) -> None:
    """Takes the lease off a task; its status is the caller's to set."""
    if task.owner is None:
        return
    state.agent(task.owner).tasks.pop(task.id, None)
    state.waiters.relieved(task.owner)
    state.deadlines.clear(task.id)
    if task.paths:
        state.reserved.remove(task.id, task.paths)
        state.ready.unpark(task.paths)
    task.owner = task.lease_expiry = task.lease_token = task.lease_ttl_s = None
    if task.tied:
        task.tied = False
        state.tied.pop(task.id, None)


def _blocked(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    task = state.changing(answer["task"]["id"])
    needs = event.payload.get("needs", [])
    block(state, task, event.source, event.payload["reason"], needs, record.recorded_at)


def _note_unblocked(state: State, event: Event, record: Record) -> None:
    """A directive that the needs of a blocked task are met puts the task back to work."""
    if event.payload.get("instruction") == "unblocked" and event.task_id in state.tasks:
        task = state.changing(event.task_id)
        if task.status == BLOCKED:
            unblock(state, task)
            task.updated_at = record.recorded_at
            set_status(state, task, IN_PROGRESS if task.owner else PENDING)


def _added(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    _add(state, event, record, event.payload)


def _add(state: State, event: Event, record: Record, payload: dict[str, Any]) -> None:
    task = Task(
        event.task_id or "",
        title=payload.get("title", ""),
        run=payload.get("run"),
        prompt=payload.get("prompt"),
        priority=payload.get("priority", 50),
        depends_on=tuple(dict.fromkeys(payload.get("depends_on", ()))),
        paths=tuple(payload.get("paths", ())),
        requires=tuple(sorted(set(payload.get("requires", ())))),
        ttl_s=payload.get("lease_ttl_s"),
        max_attempts=payload.get("max_attempts") or state.limits.max_attempts,
        updated_at=record.recorded_at,
        created_seq=record.seq,
    )
    add_task(state, task)


def _released(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    task = state.changing(answer["task"]["id"])
    _let_go(state, task, answer["task"], record)


def _let_go(state: State, task: Task, outcome: dict[str, Any], record: Record) -> None:
    """Ends a lease; a blocked task whose needs are not met may stay blocked, without a holder."""
    end_lease(state, task)
    task.attempts = outcome["attempts"]
    task.updated_at = record.recorded_at
    if outcome["status"] != BLOCKED:
        unblock(state, task)
    set_status(state, task, outcome["status"])


def _lease_ended(state: State, event: Event, record: Record, payload: dict[str, Any], now: float) -> None:
    """LEASE_EXPIRED and LEASE_RELEASED: payload `{"by", "token", "status", "attempts", ...}`."""
    task = state.changing(event.task_id or "")
    if payload.get("crash_id"):
        task.crashes = (*task.crashes, payload["crash_id"])[-MAX_CRASHES:]
    _let_go(state, task, payload, record)


def _quarantined(state: State, event: Event, record: Record, payload: dict[str, Any], now: float) -> None:
    task = state.changing(event.task_id or "")
    end_lease(state, task)
    unblock(state, task)
    task.quarantined = True
    task.details = payload.get("reason", "")
    task.updated_at = record.recorded_at
    set_status(state, task, FAILED)


def _cancelled(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    task = state.changing(answer["task"]["id"])
    _settle(state, task, {"status": CANCELLED}, record)


def _reset(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    task = state.changing(answer["task"]["id"])
    end_lease(state, task)
    unblock(state, task)
    reset_task(task, keep_history=event.payload.get("mode") == "retry")
    task.updated_at = record.recorded_at
    set_status(state, task, PENDING)


def _edited(state: State, event: Event, record: Record, answer: dict[str, Any], now: float) -> None:
    payload = event.payload
    if payload.get("add") is not None:
        fields = dict(payload["add"])
        fields.setdefault("lease_ttl_s", fields.get("ttl_s"))
        _add(state, event, record, fields)
        return
    task = state.changing(answer["task"]["id"])
    changes, status = payload.get("set"), answer["task"]["status"]
    if changes is None or not keeps_lease(task, changes, status):
        end_lease(state, task)
    if changes is None or status != BLOCKED:
        unblock(state, task)
    if changes is None:
        leave_status(state, task)
        remove_task(state, task)
        return
    task.updated_at = record.recorded_at
    apply_edit(state, task, changes, status)


def _agent_up(state: State, event: Event, record: Record, payload: dict[str, Any], now: float) -> None:
    agent = state.agent(payload["agent"])
    agent.up = True
    agent.seen = False
    agent.supervised = payload.get("supervised", False)
    state.came(agent)
    agent.pid = payload.get("pid")
    agent.incarnation = payload.get("incarnation", 0)
    agent.capabilities = tuple(payload.get("capabilities", ()))
    agent.heartbeat = record.recorded_at


def _agent_down(state: State, event: Event, record: Record, payload: dict[str, Any], now: float) -> None:
    agent = state.agent(payload["agent"])
    agent.up = False
    agent.pid = None
    state.went(agent)


_APPLY = {
    ev.TASK_CLAIM: _claimed,
    ev.HEARTBEAT: _renewed,
    ev.TASK_UPDATE: _updated,
    ev.TASK_RELEASE: _released,
    ev.BLOCKER: _blocked,
    ev.TASK_ADD: _added,
    ev.TASK_CANCEL: _cancelled,
    ev.TASK_RESET: _reset,
    ev.OPERATOR_EDIT: _edited,
    ev.LEASE_EXPIRED: _lease_ended,
    ev.LEASE_RELEASED: _lease_ended,
    ev.TASK_QUARANTINED: _quarantined,
    ev.AGENT_UP: _agent_up,
    ev.AGENT_DOWN: _agent_down,
}
