"""What the coordinator is asked to do. Imperative, frozen, without a clock."""

import msgspec

from kortana.protocol.event import Event


class Submit(msgspec.Struct, frozen=True, gc=False):
    """Decide on an event from an agent or an operator whose identity has been checked."""

    event: Event
    body: bytes
    """The event's JSON text."""
    conn: int
    """The connection that asked, an opaque number that answers are addressed to."""
    tied: bool = False
    """Leases claimed here end with the connection."""


class AgentUp(msgspec.Struct, frozen=True):
    """An agent has come up: a worker process was started, or a guest has connected."""

    agent: str
    pid: int | None
    incarnation: int
    supervised: bool
    capabilities: tuple[str, ...] = ()


class AgentDown(msgspec.Struct, frozen=True):
    """An agent is gone, and its process tree with it."""

    agent: str
    incarnation: int
    clean: bool
    """It ended as it should: its leases cost their tasks no attempt."""
    detail: str
    """For people: `exit code 1`, `signal SIGKILL`, `connection closed`."""
    keep_leases: bool = False
    """For a guest: its leases live on by their TTL."""


class Disconnect(msgspec.Struct, frozen=True):
    """A connection has closed: its waiting claims end, and the leases that are tied to it."""

    conn: int
    agent: str
    tied: bool
    last: bool
    """The agent's last connection."""


class Tick(msgspec.Struct, frozen=True):
    """Time has passed: whatever is overdue at `now` ends."""


class Boot(msgspec.Struct, frozen=True):
    """The coordinator has started on a recovered state; every live lease gets its full TTL again."""

    fresh: bool
    """The whole process is new: no agent of the last run is up, and the leases of its workers have ended."""


class Drain(msgspec.Struct, frozen=True):
    """The tree is going down: no new claims."""


Command = Submit | AgentUp | AgentDown | Disconnect | Tick | Boot | Drain
