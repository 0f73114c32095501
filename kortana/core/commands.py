"""What the coordinator is asked to do. Imperative, frozen, without a clock."""

import msgspec

from kortana.core.limits import Limits
from kortana.protocol.event import Event


class Submit(msgspec.Struct, frozen=True, gc=False):
    """Decide on an event from an agent or an operator whose identity has been checked."""

    event: Event
    body: bytes
    """The event's canonical JSON text."""
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
    crash_id: str | None = None
    """The crash record of its end, where it was a crash."""


class Disconnect(msgspec.Struct, frozen=True):
    """A connection has closed: its waiting claims end, and the leases that are tied to it."""

    conn: int
    agent: str
    tied: bool
    last: bool
    """The agent's last connection."""


class Disconnected(msgspec.Struct, frozen=True):
    """What a closed connection has taken with it, by name."""

    agent: str
    waits: tuple[str, ...]
    """Ids of its waiting claims."""
    leases: tuple[str, ...]
    """Tasks whose leases were tied to it."""


class Tick(msgspec.Struct, frozen=True):
    """Time has passed: whatever was due at `until` (monotonic seconds) ends.

    `until` is when the sockets were last looked at, so that a renewal that was waiting is read before its lease ends.
    """

    until: float


class Expire(msgspec.Struct, frozen=True):
    """One lease is overdue."""

    task: str


class EndWait(msgspec.Struct, frozen=True):
    """The time of one waiting claim is over."""

    event_id: str


class Boot(msgspec.Struct, frozen=True):
    """The coordinator has started on a recovered state; every live lease gets its full TTL again."""

    fresh: bool
    """The whole process is new: no agent of the last run is up, and the leases of its workers have ended."""
    limits: Limits
    """The coordinator's settings from now on; journaled, so that a replay needs no configuration."""


class Configure(msgspec.Struct, frozen=True):
    """Other settings from now on."""

    limits: Limits


class Declare(msgspec.Struct, frozen=True):
    """These workers are declared: what is sent to them before they have come up for the first time waits for them."""

    workers: tuple[str, ...]


class Drain(msgspec.Struct, frozen=True):
    """The tree is going down: no new claims."""


Command = (
    Submit | AgentUp | AgentDown | Disconnect | Disconnected | Tick | Expire | EndWait | Boot | Configure | Declare
    | Drain
)  # fmt: skip
