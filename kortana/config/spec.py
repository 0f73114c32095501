"""The effective configuration: frozen values with all defaults filled in. Durations in seconds, sizes in bytes."""

from typing import Literal

import msgspec

Restart = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]


class CoordinatorSpec(msgspec.Struct, frozen=True):
    lease_ttl: float = 120.0
    max_lease_ttl: float = 3600.0
    max_attempts: int = 3
    max_leases_per_agent: int = 16
    adhoc_tasks: bool = True
    mailbox_limit: int = 1000


class SupervisorSpec(msgspec.Struct, frozen=True):
    strategy: Strategy = "one_for_one"
    intensity: int = 5
    period: float = 60.0
    on_give_up: Literal["park", "exit"] = "park"


class JournalSpec(msgspec.Struct, frozen=True):
    durability: Literal["fsync", "flush"] = "fsync"
    rotate_size: int = 64 << 20
    keep_segments: int = 0


class RelaySpec(msgspec.Struct, frozen=True):
    enabled: bool = False
    root: str = "."


class BackoffSpec(msgspec.Struct, frozen=True):
    initial: float = 0.1
    factor: float = 2.0
    max: float = 30.0
    jitter: float = 0.2
    reset_after: float = 60.0


class ReadySpec(msgspec.Struct, frozen=True):
    type: Literal["started", "hello", "log", "tcp", "http", "exec"] = "started"
    timeout: float = 30.0
    pattern: str | None = None
    """Of type log."""
    host: str = "127.0.0.1"
    port: int | None = None
    """Of type tcp."""
    url: str | None = None
    """Of type http."""
    command: tuple[str, ...] | None = None
    """Of type exec."""
    interval: float = 0.2
    """Between two questions of tcp, http and exec."""


class LivenessSpec(msgspec.Struct, frozen=True):
    heartbeat_timeout: float = 60.0
    progress_timeout: float = 0.0
    action: Literal["restart", "report"] = "restart"


class StopSpec(msgspec.Struct, frozen=True):
    signal: str = "SIGTERM"
    grace: float = 10.0


class LimitsSpec(msgspec.Struct, frozen=True):
    memory: int | None = None
    pids: int | None = None
    open_files: int | None = None


class CliSpec(msgspec.Struct, frozen=True):
    """How an agent adapter runs its command-line agent; what is not given is as the adapter knows it."""

    command: tuple[str, ...] | None = None
    stream: Literal["claude", "codex", "gemini", "opencode", "text"] | None = None
    prompt: Literal["stdin", "argument"] | None = None
    template: str | None = None
    worktree: bool = False
    merge: bool = False
    stall_timeout: float = 900.0


class LogsSpec(msgspec.Struct, frozen=True):
    rotate_size: int = 10 << 20
    keep: int = 5


class WorkerSpec(msgspec.Struct, frozen=True):
    """One declared worker; `replicas` of it run."""

    name: str
    command: tuple[str, ...] | None = None
    entrypoint: str | None = None
    agent: str | None = None
    cli: CliSpec = CliSpec()
    replicas: int = 1
    cwd: str = "."
    env: dict[str, str] = {}
    env_file: str | None = None
    restart: Restart = "permanent"
    success_exit_codes: tuple[int, ...] = (0,)
    quota_exit_codes: tuple[int, ...] = (75,)
    quota_delay: float = 300.0
    intensity: int = 5
    period: float = 60.0
    backoff: BackoffSpec = BackoffSpec()
    start_after: dict[str, str] = {}
    ready: ReadySpec = ReadySpec()
    liveness: LivenessSpec = LivenessSpec()
    stop: StopSpec = StopSpec()
    limits: LimitsSpec = LimitsSpec()
    logs: LogsSpec = LogsSpec()
    capabilities: tuple[str, ...] = ()

    def replica_names(self) -> list[str]:
        """The names under which it runs: its own, or `name-1` to `name-n`."""
        if self.replicas == 1:
            return [self.name]
        return [f"{self.name}-{number}" for number in range(1, self.replicas + 1)]


class TaskSpec(msgspec.Struct, frozen=True):
    """One declared task."""

    id: str
    title: str = ""
    run: str | None = None
    prompt: str | None = None
    priority: int = 50
    depends_on: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    lease_ttl: float | None = None
    max_attempts: int | None = None


class Config(msgspec.Struct, frozen=True):
    """kortana.yaml as it is in force."""

    path: str
    """Absolute path of the file."""
    project: str
    data_dir: str
    """Absolute."""
    coordinator: CoordinatorSpec = CoordinatorSpec()
    supervisor: SupervisorSpec = SupervisorSpec()
    journal: JournalSpec = JournalSpec()
    relay: RelaySpec = RelaySpec()
    guard: Literal["off", "warn", "enforce"] = "warn"
    """What is done about an edit that no lease covers."""
    workers: tuple[WorkerSpec, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
