"""What the supervisor and the launcher say to each other. JSON frames; never pickle."""

import os

import msgspec

from kortana.ports import CrashSettings, ProcessExit, ProcessSpec
from kortana.processes.crash_record import CrashName

Key = tuple[str, int]
"""A worker, and the number of its incarnation."""


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


class _OfIncarnation(_Message, frozen=True):
    """About one incarnation of a worker."""

    worker: str
    incarnation: int


class Start(_Message, frozen=True):
    spec: ProcessSpec
    raw_env: list[tuple[bytes, bytes]] = []
    """Variables that are no UTF-8, and so not in the spec: JSON could not hold them."""
    held: bool = False
    """Only get ready: it begins at Release, and nothing is told of it before."""

    @classmethod
    def of(cls, spec: ProcessSpec, held: bool) -> "Start":
        raw = {name: value for name, value in spec.env.items() if not (_is_utf8(name) and _is_utf8(value))}
        if not raw:
            return cls(spec, held=held)
        env = {name: value for name, value in spec.env.items() if name not in raw}
        pairs = [(os.fsencode(name), os.fsencode(value)) for name, value in raw.items()]
        return cls(msgspec.structs.replace(spec, env=env), pairs, held)

    @property
    def key(self) -> Key:
        return self.spec.worker, self.spec.incarnation

    def env(self) -> dict[str, str]:
        """Every variable, as the system knows it."""
        return {**self.spec.env, **{os.fsdecode(name): os.fsdecode(value) for name, value in self.raw_env}}


def _is_utf8(text: str) -> bool:
    """False for text from the system that was no UTF-8, and holds surrogates in its place."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class StartAfter(_Message, frozen=True):
    """When the incarnation before it ends by itself, start it, have it begin, and tell nothing of it before Release."""

    start: Start
    """Held, as it is until that death has been told."""
    but_not: list[int]
    """Exit codes after which it does not begin by itself."""
    normal: list[int]
    """Exit codes that are no crash: they have no record."""
    settings: CrashSettings
    """For the record of a crash."""


class Release(_OfIncarnation, frozen=True):
    """Let begin what is held, or what waits for an end; and tell what there is of it."""


class Discard(_OfIncarnation, frozen=True):
    """What is held, or waits for an end, will not be needed; where nothing is, nothing happens."""


class Signal(_OfIncarnation, frozen=True):
    number: int


class AskStacks(_OfIncarnation, frozen=True):
    """Have a Python worker write the stacks of its threads to its crash pipe."""


class KillTree(_OfIncarnation, frozen=True):
    pass


class Ping(_Message, frozen=True):
    """Say that you are alive."""


class Pong(_Message, frozen=True):
    """The answer to Ping."""


class Exit(_Message, frozen=True):
    """End everything and go."""


class Started(_OfIncarnation, frozen=True):
    pid: int
    start_ticks: int | None


class StartFailed(_OfIncarnation, frozen=True):
    error: str


class LogMatched(_OfIncarnation, frozen=True):
    """The readiness pattern was found in its output."""

    line: str


class Exited(_OfIncarnation, frozen=True):
    pid: int
    exit: ProcessExit
    kept: CrashName | None = None
    """What its record is to be called, where it is in the black box."""


class Withdrawn(_OfIncarnation, frozen=True):
    """It had begun, unheard, and was discarded: it is being killed."""

    pid: int


class NotRunning(_OfIncarnation, frozen=True):
    """The answer to KillTree for a worker that this launcher does not have, or no longer has."""


class LauncherOptions(msgspec.Struct, frozen=True):
    run_id: str
    echo: bool
    """Show the workers' output, with their names before it, on this process's stdout."""
    live: bool
    """A live line stands on the terminal: clear it before each line."""
    colour: bool
    name_width: int
    runner: str
    """`module:callable` that runs a Python worker; loaded once, before any is forked."""
    black_box: str
    """A file for what is known of deaths (`processes/black_box.py`)."""


def worker_of(message: "ToLauncher") -> str:
    """Whom an order is about; empty where it is about nobody."""
    if isinstance(message, StartAfter):
        message = message.start
    return message.spec.worker if isinstance(message, Start) else getattr(message, "worker", "")


OfWorker = Started | StartFailed | LogMatched | Exited | Withdrawn | NotRunning
ToLauncher = Start | StartAfter | Release | Discard | Signal | AskStacks | KillTree | Ping | Exit
FromLauncher = OfWorker | Pong

encode = msgspec.json.encode
decode_to_launcher = msgspec.json.Decoder(ToLauncher).decode
decode_from_launcher = msgspec.json.Decoder(FromLauncher).decode
MAX_MESSAGE = 4 << 20
