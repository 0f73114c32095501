"""Typed payloads of the events that the coordinator decides upon. A wrong one is `bad_payload`."""

from typing import Any, Literal, TypeVar

import msgspec

MAX_DETAILS = 8_192
MAX_PATHS = 256
MAX_PATTERN = 1024
"""Characters of one path pattern."""
MAX_REFERENCES = 256


class Payload(msgspec.Struct, frozen=True, gc=False):
    """Unknown fields are left to readers who know them; known ones must have their type."""


class TaskAdd(Payload, frozen=True):
    title: str = ""
    run: str | None = None
    prompt: str | None = None
    priority: int = 50
    """-1000000 to 1000000, higher first."""
    depends_on: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    lease_ttl_s: float | None = None
    max_attempts: int | None = None


def asked_by(adapter: str) -> tuple[str, ...]:
    """What a task must have (`TaskClaim.having`) so that an agent adapter can do it: the shell needs something to run;
    the command-line agents make of any task what its prompt, or else its run, title or id says."""
    return ("run",) if adapter == "shell" else ()


class TaskClaim(Payload, frozen=True):
    ttl_s: float | None = None
    wait_s: float = 0.0
    details: str = ""
    having: tuple[Literal["run", "prompt", "title"], ...] = ()
    """Without a task id: only a task in which one of these says what is to be done."""


class TaskUpdate(Payload, frozen=True):
    status: str
    details: str = ""
    progress: float | None = None
    """0 to 100, percent."""
    token: int | None = None
    result: Any = None


class TaskRelease(Payload, frozen=True):
    token: int | None = None
    details: str = ""


class Blocker(Payload, frozen=True):
    reason: str
    needs: tuple[str, ...] = ()
    token: int | None = None


class Heartbeat(Payload, frozen=True):
    token: int | None = None
    details: str = ""


class Confirm(Payload, frozen=True):
    ack_for_event_id: str


class Reset(Payload, frozen=True):
    mode: str = "reset"
    """`reset`: pending with a clean slate; `retry`: out of quarantine, the history kept."""


class Edit(Payload, frozen=True):
    """Exactly one of the three."""

    remove: bool = False
    set: dict[str, Any] | None = None
    """Fields of task_graph.json → their new values."""
    add: dict[str, Any] | None = None
    """A new task's fields."""


class Hello(Payload, frozen=True):
    protocol: int
    role: str
    token: str | None = None
    pid: int | None = None
    receive: bool | None = None
    tie_leases: bool = False


class CommandCall(Payload, frozen=True):
    command: str
    args: dict[str, Any] = {}


P = TypeVar("P", bound=Payload)


def read_payload(kind: type[P], payload: dict[str, Any]) -> P | str:
    """The payload as `kind`, or what is wrong with it. JSON arrays become tuples; numbers are not coerced."""
    try:
        return msgspec.convert(payload, kind)
    except msgspec.ValidationError as error:
        return str(error)
