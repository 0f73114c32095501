"""Re-derives every decision of a journal: `decide` runs in lockstep with what was recorded, and must say the same.

An outside cause (an input, a worker's birth or death, a boot, a deadline) stands at the head of what it led to.
It is given to `decide` again, and each record that follows is compared with the one that `decide` makes.
What was decided by other rules, those of another version of Kortana, only changes the state.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from kortana.core.commands import (
    AgentDown,
    AgentUp,
    Boot,
    Command,
    Configure,
    Declare,
    Disconnected,
    Drain,
    EndWait,
    Expire,
    Submit,
)
from kortana.core.decide import RULES, decide
from kortana.core.evolve import evolve
from kortana.core.invariants import LeaseAudit, violations
from kortana.core.limits import Limits
from kortana.core.state import State
from kortana.core.turn import Turn
from kortana.core.waiting import Waiters
from kortana.protocol import event as ev
from kortana.protocol.codec import decode_strict
from kortana.protocol.event import Event, Record
from kortana.protocol.timestamps import ms_from_iso


class Difference(Exception):
    """A record that the coordinator would not have made. Carries `seq`."""

    def __init__(self, seq: int, what: str) -> None:
        super().__init__(f"seq {seq}: {what}")
        self.seq = seq


class _Torn(Exception):
    """A crash has torn the rest of this decision off; a boot follows."""


class Report(msgspec.Struct):
    """What was verified."""

    records: int = 0
    decisions: int = 0
    grants: int = 0
    denials: int = 0
    torn: int = 0
    """Decisions that a crash has cut short, and a boot has completed."""
    by_other_rules: int = 0
    """Records that were not compared."""


class _Journal:
    """Records with a look ahead; the audit reads each as it goes by."""

    def __init__(self, records: Iterator[Record], audit: LeaseAudit) -> None:
        self._records, self._audit = records, audit
        self._ahead: deque[Record] = deque()

    def peek(self, index: int = 0) -> Record | None:
        while len(self._ahead) <= index:
            record = next(self._records, None)
            if record is None:
                return None
            self._ahead.append(record)
        return self._ahead[index]

    def take(self) -> Record:
        record = self._ahead.popleft()
        self._audit.feed(record)
        if self._audit.violations:
            raise Difference(record.seq, self._audit.violations[0])
        return record


class _LockstepTurn(Turn):
    """A turn that takes its records from the journal, and compares them with those that it would have made."""

    __slots__ = ("_journal",)

    def __init__(self, state: State, journal: _Journal, wall_ms: int) -> None:
        super().__init__(state, 0.0, wall_ms)
        state.outbox = None
        self._journal = journal

    def _append(self, record: Record) -> Record:
        found = self._journal.peek()
        if found is None or _instruction(found) == "boot" != _instruction(record):
            raise _Torn
        if _essence(record.event) != _essence(found.event):
            raise Difference(found.seq, f"{_told(found.event)} stands where {_told(record.event)} is due")
        self._journal.take()
        evolve(self.state, found, 0.0)
        return found


def verify(records: Iterator[Record], limits: Limits) -> Report:
    """Verifies a whole journal, from its first record. Raises Difference at the first wrong one.

    limits: in force until the first boot names its own.
    """
    audit, report = LeaseAudit(), Report()
    journal = _Journal(records, audit)
    state = State(limits)
    while (head := journal.peek()) is not None:
        if _instruction(head) == "boot":
            state.waiters = Waiters()
            state.tied.clear()
            if head.event.payload.get("rules") != RULES:
                report.by_other_rules += _follow(journal, state)
                continue
        command = _command_of(journal, state, head)
        try:
            decide(_LockstepTurn(state, journal, ms_from_iso(head.recorded_at)), command)
        except _Torn:
            report.torn += journal.peek() is not None
        if journal.peek() is head:
            raise Difference(head.seq, f"{_told(head.event)} would have changed nothing")
        report.decisions += 1
    broken = violations(state)
    if broken:
        raise Difference(state.seq, broken[0])
    report.records, report.grants, report.denials = state.seq, audit.grants, audit.denials
    return report


def _follow(journal: _Journal, state: State) -> int:
    """Takes a boot and what follows it, up to the next one, as it stands. Gives the number of records."""
    taken = 0
    while (record := journal.peek()) is not None and (not taken or _instruction(record) != "boot"):
        evolve(state, journal.take(), 0.0)
        taken += 1
    return taken


def _instruction(record: Record) -> Any:
    return record.event.payload.get("instruction") if record.event.target == ev.COORDINATOR else None


def _told(event: Event) -> str:
    payload = event.payload
    what = payload.get("reason") or payload.get("instruction") or ""
    if "accepted" in payload:
        what = f"{'accepted' if payload['accepted'] else 'refused'} {what}".strip()
    return f"{event.event_type} to {event.target} on {event.task_id or '-'}" + (f" ({what})" if what else "")


_PROSE = frozenset({"detail"})
"""For people; may name another of several obstacles after a restart."""


def _essence(event: Event) -> tuple[Any, ...]:
    """What is compared: everything but sentences for people, and what only the connection knew (`tied`)."""
    payload = event.payload
    if event.event_type == ev.ACK:
        payload = dict(payload)
        if isinstance(payload.get("result"), dict):
            payload["result"] = {k: v for k, v in payload["result"].items() if k not in _PROSE}
        if "lease" in payload:
            payload["lease"] = {k: v for k, v in payload["lease"].items() if k != "tied"}
        if not payload.get("accepted") and not payload.get("result"):
            payload.pop("result", None)
    plain = decode_strict(msgspec.json.encode(payload))
    return event.id, event.source, event.target, event.event_type, event.task_id, event.priority, plain


def _command_of(journal: _Journal, state: State, head: Record) -> Command:
    """The cause that a head record stands for. Raises Difference where it can be none."""
    event, payload = head.event, head.event.payload
    if event.source not in (ev.COORDINATOR, ev.SUPERVISOR):
        return Submit(event, head.body, 0)
    if event.event_type == ev.AGENT_UP:
        capabilities = tuple(payload["capabilities"])
        return AgentUp(payload["agent"], payload["pid"], payload["incarnation"], payload["supervised"], capabilities)
    if event.event_type == ev.AGENT_DOWN:
        return AgentDown(
            payload["agent"], payload["incarnation"], payload["clean"], payload["detail"], payload["keep_leases"],
            payload.get("crash_id"),
        )  # fmt: skip
    if event.event_type == ev.LEASE_EXPIRED and event.task_id in state.tasks:
        return Expire(event.task_id)
    ended = _ended_wait(journal, state, head)
    if ended is not None:
        return EndWait(ended)
    noted = _noted(state, _instruction(head), payload)
    if noted is None:
        raise Difference(head.seq, f"{_told(event)} has no cause")
    return noted


def _ended_wait(journal: _Journal, state: State, head: Record) -> str | None:
    """A denial of a claim that waited: the ACK, with the directive that may stand before it."""
    answer: Record | None = head
    if head.event.event_type == ev.DIRECTIVE and head.event.payload.get("instruction") == "claim_denied":
        answer = journal.peek(1)
        if answer is None or _instruction(answer) == "boot":  # a crash has torn the ACK off
            waiting = state.waiters.of_agent(head.event.target)
            return next((w.event.id for w in waiting if w.event.task_id == head.event.task_id), None)
    if answer is None or answer.event.event_type != ev.ACK:
        return None
    event_id = str(answer.event.payload.get("ack_for_event_id"))
    return event_id if event_id in state.waiters else None


def _noted(state: State, instruction: Any, note: dict[str, Any]) -> Command | None:
    """The cause that the coordinator has noted for itself."""
    if instruction == "boot":
        return Boot(note["fresh"], msgspec.convert(note["limits"], Limits))
    if instruction == "limits":
        return Configure(msgspec.convert(note["limits"], Limits))
    if instruction == "declared":
        return Declare(tuple(note["workers"]))
    if instruction == "drain":
        return Drain()
    if instruction == "disconnected":
        return Disconnected(note["agent"], tuple(note["waits"]), tuple(note["leases"]))
    asked = state.pending.get(note.get("id", "")) if instruction == "asked_again" else None
    return None if asked is None else Submit(asked.event, asked.body, 0)
