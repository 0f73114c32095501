"""What the actors need of the outside world. The real things stand in `adapters/`, `processes/` and `bootstrap`."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import msgspec

from kortana.protocol.event import Record


class Clock(Protocol):
    """Time, as an argument for the core."""

    def monotonic(self) -> float:
        """Seconds that never go back, also through a suspended machine."""

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""


class JournalFault(Exception):
    """The journal cannot take records just now; nothing of the failed commit counts as written."""


class JournalGone(JournalFault):
    """Its file is not where it was: removed, moved or replaced while it was in use. Nothing can be built on that."""


class Journal(Protocol):
    """An append-only sequence of records."""

    def commit(self, lines: list[bytes], last_seq: int) -> None:
        """Appends whole lines and makes them durable. Raises JournalFault, and then none of them is in it."""

    def begin(self, lines: list[bytes], last_seq: int) -> bool:
        """As `commit`; but making them durable goes on: nothing counts before `end`. False, and nothing done, where
        that is better done at once."""

    def has_ended(self) -> bool:
        """Whether `end` would not have to wait."""

    def end(self) -> None:
        """Waits for what was begun. Raises JournalFault, and then none of it is in the journal."""

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records with a higher `seq`, in order."""

    def close(self) -> None:
        """Ends the use of the journal."""


class BackgroundSync(Protocol):
    """Makes a file durable while its owner does something else; one sync at a time."""

    def begin(self, fd: int) -> bool:
        """Begins to make all durable that was written to a file. False where that cannot be done behind."""

    def has_ended(self) -> bool:
        """Whether `end` would not wait."""

    def end(self) -> None:
        """Waits for the end of what was begun. Raises OSError where the file is not durable."""


class Reserve(Protocol):
    """Room on the disk that is kept for worse times."""

    def take(self) -> bool:
        """Keeps it; False where there is not that much."""

    def give_up(self) -> None:
        """Lets it go."""


class Snapshot(msgspec.Struct, frozen=True):
    """The state at one `seq`, encoded, ready to be written."""

    seq: int
    at: str
    pages: list[bytes]
    agents: dict[str, Any]
    rest: bytes | None
    """The canonical state but for tasks, where a checkpoint is due."""


class Crashes(Protocol):
    """The records of deaths."""

    def write(self, record: dict[str, Any]) -> None:
        """Seals a record. Raises OSError."""

    def read(self, crash_id: str) -> dict[str, Any] | None:
        """The record by its ID; None where there is none."""

    def sync(self) -> None:
        """Makes durable what was written. Raises OSError."""


class Snapshots(Protocol):
    """Readable and recoverable copies of the state."""

    def write(self, snapshot: Snapshot) -> None:
        """Replaces the snapshot files, each atomically. Raises OSError, and JournalGone: they would be of no use."""


class ProcessSpec(msgspec.Struct, frozen=True):
    """What to start as one incarnation of a worker. Crosses to the launcher as JSON."""

    worker: str
    incarnation: int
    argv: list[str] | None
    """A command, or None for a Python worker."""
    entrypoint: str | None
    """`module:callable`."""
    cwd: str
    env: dict[str, str]
    """The whole environment."""
    log_path: str
    log_rotate_bytes: int
    log_keep: int
    ready_pattern: str | None
    """A regular expression; the first line of output that it finds is reported."""
    open_files: int | None
    memory_bytes: int | None = None
    pids: int | None = None
    usual_open_files: int | None = None
    """How many files it may have open where it has no limit of its own: as many as Kortana itself at its start."""


class OutputLine(msgspec.Struct, frozen=True, array_like=True):
    at: str
    stream: str
    """`o` or `e`."""
    text: str


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """What one process used at a moment."""

    at_s: float
    """Seconds since its start."""
    rss_bytes: int
    cpu_s: float
    open_files: int


class ProcessExit(msgspec.Struct, frozen=True):
    """How an incarnation ended; sent once its whole process tree is gone."""

    code: int | None
    signal: str | None
    """`SIGKILL`, ...; None for an exit."""
    core_dumped: bool
    user_s: float
    system_s: float
    max_rss_bytes: int
    swept: int
    """Processes of its tree that had to be killed after it."""
    output: list[OutputLine] = []
    """The end of its output, at most 100 lines."""
    report: str = ""
    """What a Python worker sent on its crash pipe: exceptions as JSON lines, stacks as faulthandler writes them."""
    oom_kills: int = 0
    oom_evidence: str = ""
    """The kernel's counter, as it was read."""
    samples: list[Sample] = []
    """Its first process over time, oldest first."""


class CrashSettings(msgspec.Struct, frozen=True):
    """What the record of a death says of a worker whatever it dies of. All of it is UTF-8."""

    command: list[str] | str
    cwd: str
    config_hash: str
    code_version: dict[str, Any] | None
    environment_names: list[str]


class Launcher(Protocol):
    """Owns the worker processes. Calls return at once; what happens is told to the listener given to `start`."""

    def is_open(self) -> bool:
        """False between its death and a new one's start: what is ordered then is lost, and nothing is told of it."""

    def start(self, spec: ProcessSpec, held: bool = False) -> None:
        """Starts one incarnation; `held`: its process only gets ready, and nothing is told of it before `release`."""

    def start_after(
        self, spec: ProcessSpec, but_not: list[int], normal: list[int], settings: CrashSettings
    ) -> None:
        """Starts it when the incarnation before it ends by itself, with an exit code that is not in `but_not`. After a
        crash (another code than the `normal` ones) it begins once what is known of that is kept for the record, or at
        `release` where it cannot be kept. Nothing is told of it before `release`."""

    def release(self, worker: str, incarnation: int) -> None:
        """Lets begin what is held or waits for an end, where it has not begun, and tells what there is of it."""

    def discard(self, worker: str, incarnation: int) -> None:
        """Ends what is held or has begun unheard, and forgets what waits; where nothing is, nothing happens."""

    def signal(self, worker: str, incarnation: int, number: int) -> None:
        """Sends a signal to its first process and that one's process group."""

    def ask_stacks(self, worker: str, incarnation: int) -> None:
        """Asks a Python worker for the stacks of its threads; they come with its exit."""

    def kill_tree(self, worker: str, incarnation: int) -> None:
        """Kills everything that it ever started."""


Environment = Mapping[str, str]
