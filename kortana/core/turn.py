"""One turn of the coordinator: records that were decided, in order, and messages to send once they are durable."""

from typing import Any

from kortana.core.evolve import evolve
from kortana.core.state import State
from kortana.core.task import Task
from kortana.protocol import event as ev
from kortana.protocol.codec import encode_json, event_digest
from kortana.protocol.event import Event, Record
from kortana.protocol.timestamps import iso_from_ms, ms_from_iso


class Turn:
    """Collects the outcome of one batch of commands.

    Each record evolves the state as it is made, so that the next decision of the batch sees it.

    now: monotonic seconds, for deadlines. wall_ms: milliseconds since the epoch, for `recorded_at`; a clock
    that was set back is held at the last record's time.
    """

    __slots__ = (
        "_expires_at", "_ttl_s", "deliveries", "denied", "expired", "granted", "now", "records", "replies", "state",
        "wall", "wall_ms",
    )  # fmt: skip

    def __init__(self, state: State, now: float, wall_ms: int) -> None:
        wall = iso_from_ms(wall_ms)
        if wall < state.recorded_at:
            wall, wall_ms = state.recorded_at, ms_from_iso(state.recorded_at)
        self.state = state
        self._ttl_s, self._expires_at = -1.0, ""
        self.now = now
        self.wall_ms = wall_ms
        self.wall = wall
        self.records: list[Record] = []
        self.replies: list[tuple[int, bytes]] = []
        """(connection, body) of answers."""
        self.deliveries: list[tuple[str, bytes]] = []
        """(agent, body) of mailbox events."""
        self.granted = self.denied = self.expired = 0
        """Claims granted and denied, and leases expired, for the summary at the end."""
        state.outbox = self.deliveries

    def take(self, event: Event, body: bytes, digest: int) -> Record:
        """Journals what came from outside."""
        return self._append(Record(event, self.state.seq + 1, self.wall, body, digest))

    def say(
        self,
        target: str,
        event_type: str,
        task_id: str | None,
        payload: dict[str, Any],
        source: str = ev.COORDINATOR,
        priority: str = "normal",
    ) -> Record:
        """Journals what the coordinator (or the supervisor) says, under an id that its place makes unique."""
        seq = self.state.seq + 1
        event = Event(f"k{seq}", self.wall, source, target, event_type, task_id, priority, payload, False)
        body = encode_json(event)
        return self.take(event, body, 0 if source == ev.COORDINATOR else event_digest(body))

    def directive(self, target: str, task_id: str | None, payload: dict[str, Any], priority: str = "high") -> None:
        """A DIRECTIVE into an agent's mailbox."""
        self.say(target, ev.DIRECTIVE, task_id, payload, priority=priority)

    def note(self, instruction: str, **fields: Any) -> None:
        """What the coordinator tells itself: an outside cause that a replay could not see otherwise."""
        self.say(ev.COORDINATOR, ev.DIRECTIVE, None, {"instruction": instruction, **fields})

    def accept(self, conn: int, event: Event, **extra: Any) -> None:
        """Journals a decision for an input, and replies where the sender wants to know."""
        seq = self.state.seq + 1
        payload = {"ack_for_event_id": event.id, "accepted": True, "reason": "", **extra, "seq": seq}
        body = self._answer(event, seq, payload)
        if event.requires_ack:
            self.replies.append((conn, body))

    def refuse(self, conn: int, event: Event, reason: str, detail: str = "") -> None:
        """Journals a decision against an input, and replies."""
        seq = self.state.seq + 1
        payload: dict[str, Any] = {"ack_for_event_id": event.id, "accepted": False, "reason": reason}
        if detail:
            payload["result"] = {"detail": detail}
        payload["seq"] = seq
        self.replies.append((conn, self._answer(event, seq, payload)))

    def _answer(self, event: Event, seq: int, payload: dict[str, Any]) -> bytes:
        """Of a claim of the next task, too, the answer is about that task: its history begins with who has it."""
        name = event.task_id
        if name is None and "task" in payload:
            name = payload["task"]["id"]
        answer = Event(f"k{seq}", self.wall, "coordinator", event.source, "ACK", name, "normal", payload, False)
        body = encode_json(answer)
        self._append(Record(answer, seq, self.wall, body, 0))
        return body

    def _append(self, record: Record) -> Record:
        self.records.append(record)
        evolve(self.state, record, self.now)
        return record

    def reply_only(self, conn: int, event: Event, reason: str = "", detail: str = "") -> None:
        """An answer that is no decision on the task graph, and so not journaled; a refusal where there is a reason."""
        payload: dict[str, Any] = {"ack_for_event_id": event.id, "accepted": not reason, "reason": reason, "seq": None}
        if detail:
            payload["result"] = {"detail": detail}
        self.replies.append((conn, encode_json(refusal_event(event.id, event.source, self.wall, payload))))

    def expires_at(self, ttl_s: float) -> str:
        """When a lease granted now would end, by the wall clock: for people; no decision reads it."""
        if ttl_s != self._ttl_s:
            self._ttl_s, self._expires_at = ttl_s, iso_from_ms(self.wall_ms + round(ttl_s * 1000))
        return self._expires_at


def refusal_event(event_id: str, target: str, wall: str, payload: dict[str, Any]) -> Event:
    """An ACK outside the journal."""
    return Event(f"r-{event_id}", wall, ev.COORDINATOR, target, ev.ACK, None, "normal", payload, False)


def brief(task: Task, status: str, owner: str | None) -> dict[str, Any]:
    """What an answer says of a task: its identity and standing, and what is needed to work on it."""
    found: dict[str, Any] = {"id": task.id, "status": status, "owner": owner, "attempts": task.attempts}
    if task.title:
        found["title"] = task.title
    if task.run:
        found["run"] = task.run
    if task.prompt:
        found["prompt"] = task.prompt
    if task.paths:
        found["paths"] = task.paths
    if task.depends_on:
        found["depends_on"] = task.depends_on
    if task.requires:
        found["requires"] = task.requires
    if task.progress is not None:
        found["progress"] = task.progress
    if task.blocker:
        found["blocker"] = task.blocker
    if task.quarantined:
        found["quarantined"] = True
    found["priority"] = task.priority
    return found
