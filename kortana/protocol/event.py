"""The event: the one thing that is said between agents, the coordinator, the supervisor and operators."""

from typing import Any, Literal, get_args

import msgspec

Priority = Literal["low", "normal", "high", "urgent"]
PRIORITIES: frozenset[str] = frozenset(get_args(Priority))

COORDINATOR = "coordinator"
SUPERVISOR = "supervisor"
OPERATOR = "operator"
ALL = "all"

ACK = "ACK"
HELLO = "HELLO"
COMMAND = "COMMAND"
TASK_ADD = "TASK_ADD"
TASK_CLAIM = "TASK_CLAIM"
TASK_UPDATE = "TASK_UPDATE"
TASK_RELEASE = "TASK_RELEASE"
BLOCKER = "BLOCKER"
HEARTBEAT = "HEARTBEAT"
REQUEST_REVIEW = "REQUEST_REVIEW"
MERGE_READY = "MERGE_READY"
INFO = "INFO"
TASK_ASSIGN = "TASK_ASSIGN"
DIRECTIVE = "DIRECTIVE"
LEASE_EXPIRED = "LEASE_EXPIRED"
LEASE_RELEASED = "LEASE_RELEASED"
TASK_QUARANTINED = "TASK_QUARANTINED"
AGENT_UP = "AGENT_UP"
AGENT_DOWN = "AGENT_DOWN"
OPERATOR_EDIT = "OPERATOR_EDIT"
TASK_CANCEL = "TASK_CANCEL"
TASK_RESET = "TASK_RESET"

AGENT_TYPES = frozenset(
    {
        TASK_ADD, TASK_CLAIM, TASK_UPDATE, TASK_RELEASE, BLOCKER, HEARTBEAT,
        REQUEST_REVIEW, MERGE_READY, INFO, ACK,
    }
)  # fmt: skip
OPERATOR_TYPES = frozenset(
    {TASK_ADD, TASK_RELEASE, INFO, TASK_ASSIGN, DIRECTIVE, OPERATOR_EDIT, TASK_CANCEL, TASK_RESET}
)
COORDINATOR_TYPES = frozenset({ACK, LEASE_EXPIRED, LEASE_RELEASED, TASK_QUARANTINED, DIRECTIVE, INFO})
SUPERVISOR_TYPES = frozenset({AGENT_UP, AGENT_DOWN})
CONNECTION_TYPES = frozenset({HELLO, COMMAND})
EVENT_TYPES = AGENT_TYPES | OPERATOR_TYPES | COORDINATOR_TYPES | SUPERVISOR_TYPES | CONNECTION_TYPES


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, as it stands on the wire (CONTRACT section 4)."""

    id: str
    """Unique; the idempotency key; 1 to 128 characters."""
    timestamp: str
    """The sender's clock, UTC ISO-8601 with milliseconds."""
    source: str
    target: str
    event_type: str
    task_id: str | None
    priority: str
    payload: dict[str, Any]
    requires_ack: bool


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line of the journal: an event, where it stands and when it was decided."""

    event: Event
    seq: int
    """1, 2, 3, ... without a gap."""
    recorded_at: str
    """UTC ISO-8601, never decreasing."""
    body: bytes
    """The event's canonical JSON text, as it is journaled and sent."""
    digest: int
    """CRC-32 of what makes the event the same event: everything but id, timestamp and source."""
