"""What the actors say to each other. Frozen values; times are seconds."""

from typing import Any

import msgspec

from kortana.core.commands import Command
from kortana.ports import Snapshot
from kortana.processes.messages import OfWorker
from kortana.protocol.event import Event, Record


class Message(msgspec.Struct, frozen=True):
    pass


# to the coordinator
class Decide(Message, frozen=True):
    """A command for the core."""

    command: Command


class InboundReady(Message, frozen=True):
    """What the hub has read."""

    inbound: list[Any]


class DeadlineDue(Message, frozen=True):
    """A lease or a wait is overdue, or a snapshot is due."""


class LookForEnd(Message, frozen=True):
    """The last worker is gone for good."""


class FlushSnapshots(Message, frozen=True):
    """Write a last snapshot and checkpoint; answered once they have been handed over."""


class Inspect(Message, frozen=True):
    """Asked by the supervisor: agents' statuses and a summary of the tasks."""


class RelayInbound(Message, frozen=True):
    """What an agent has written into the legacy files, in order; also says that it is there."""

    agent: str
    conn: int
    events: list[tuple[Event, bytes]]


# to the relay
class FilesChanged(Message, frozen=True):
    """Something was written below a folder that it watches."""


class RelayAnswer(Message, frozen=True):
    """A body for an agent that reads files."""

    agent: str
    body: bytes


class RelayResubmit(Message, frozen=True):
    """The coordinator has started over."""


# to persistence
class Commit(Message, frozen=True):
    """Make these durable, and only then send."""

    records: list[Record]
    replies: list[tuple[int, bytes]]
    deliveries: list[tuple[str, bytes]]


class Flush(Message, frozen=True):
    """Answered when everything before it is durable and written."""


# to the snapshot writer
class WriteSnapshot(Message, frozen=True):
    snapshot: Snapshot
    to: Any
    """Who is told SnapshotWritten."""


# to the coordinator, from the snapshot writer
class SnapshotWritten(Message, frozen=True):
    seconds: float


# to a worker
class StartWorker(Message, frozen=True):
    """Start it, or take it out of `stopped`, `failed` or `parked`. `cause`: user, boot, sibling, launcher.

    group: workers that start again together: those among them that it is started after come first, as at the boot.
    """

    cause: str
    group: frozenset[str] = frozenset()


class StopWorker(Message, frozen=True):
    """Stop it. `cause`: user, down, sibling."""

    cause: str


class RestartWorker(Message, frozen=True):
    cause: str


class ScheduleRestart(Message, frozen=True):
    """The siblings that its strategy stopped are at rest: back off, then start. group: as of StartWorker."""

    group: frozenset[str] = frozenset()


class Report(Message, frozen=True):
    """What the launcher has told of this worker."""

    message: OfWorker


class LauncherGone(Message, frozen=True):
    """The launcher has died, and every process of this worker with it."""


class LauncherBack(Message, frozen=True):
    """A new launcher is there. group: as of StartWorker; who had died with the launcher before."""

    group: frozenset[str] = frozenset()


class TakeOver(Message, frozen=True):
    """The actor of this worker has died, of `error`; this one goes on from the same view."""

    error: str


class AllHeard(Message, frozen=True):
    """All that had been said when that alarm rang has been heard: what is late now is late."""

    alarm: str
    incarnation: int


class ProbeSucceeded(Message, frozen=True):
    """A readiness probe had its answer."""

    incarnation: int


class Reconfigure(Message, frozen=True):
    """The worker is declared so from now on: it restarts with it, or starts, unless it was stopped."""

    spec: Any
    awaited: dict[str, str] = {}
    """Of its `start_after`, what has not been reached yet."""


class AgentSaidHello(Message, frozen=True):
    agent: str
    incarnation: int


class PeerChanged(Message, frozen=True):
    """Another worker has reached a state that `start_after` may wait for."""

    name: str
    reached: frozenset[str]


class Alarm(Message, frozen=True):
    """A timer that this actor has set is due. `token` tells an old one from a new one."""

    name: str
    token: int


# to the coordinator, from workers
class HearAll(Message, frozen=True):
    """Answered with `answer` once everything has been read that anybody had said before this was asked."""

    to: Any
    answer: Any


# to the supervisor
class WorkerChanged(Message, frozen=True):
    """A worker has changed its state."""

    name: str
    state: str
    reached: frozenset[str]


class WorkerCrashed(Message, frozen=True):
    """A worker wants its restart under a strategy that concerns its siblings."""

    name: str


class WorkerActorDied(Message, frozen=True):
    """An actor has died, not its process."""

    name: str
    ref: Any
    error: str
    unread: tuple[Any, ...] = ()
    """What its mailbox still held."""


class GaveUp(Message, frozen=True):
    """A restart budget is used up. `scope`: worker or tree."""

    name: str
    scope: str


class ChildDied(Message, frozen=True):
    """The coordinator or persistence actor has died."""

    name: str
    generation: int
    error: str
    journal: bool = False
    """The journal takes no records just now."""


class RelayDied(Message, frozen=True):
    """The relay actor has died."""

    error: str


class RestartRelay(Message, frozen=True):
    """Time to start the relay again."""


class RestartCore(Message, frozen=True):
    """Time to start coordinator and persistence again."""


class Control(Message, frozen=True):
    """An operator's command that is the supervisor's to carry out."""

    conn: int
    event: Event
    command: str
    args: Any
    """As `protocol.calls` has them."""


class ShutDown(Message, frozen=True):
    """Take the whole tree down. `code`: with which exit code."""

    cause: str
    code: int


class MailboxFull(Message, frozen=True):
    """Events for an agent that it had not taken were dropped."""

    agent: str
    dropped: int
    """How many, ever."""


class AllTasksDone(Message, frozen=True):
    """Nothing more will happen to any task."""

    completed: bool
    """All of them were."""
    alone: bool
    """Or some could go on, but no worker and no guest is left."""
    unfinished: list[dict[str, Any]] = []
    """Which were not, and why (`views.unfinished`), while the agents were still there."""


class LauncherReported(Message, frozen=True):
    """From the launcher's link; None: the launcher is gone."""

    message: OfWorker | None


# to the timer
class SetTimer(Message, frozen=True):
    key: tuple[str, str]
    due: float
    to: Any
    message: Any


class CancelTimer(Message, frozen=True):
    key: tuple[str, str]
