"""The keys of kortana.yaml and their kinds: the one table behind reading, checking and the JSON Schema."""

from kortana.config.kinds import Command, Fields, ListOf, MapOf
from kortana.config.scalars import (
    DURATION,
    FLAG,
    SIZE,
    TEXT,
    VARIABLE,
    VARIABLE_VALUE,
    choice,
    name_text,
    number,
    pattern_text,
    positive_duration,
    whole,
)
from kortana.protocol.names import RESERVED_NAMES

ADAPTERS = ("shell", "claude", "codex", "gemini", "opencode", "cli")
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL")
MAX_REPLICAS = 1000

COORDINATOR = Fields(
    {
        "lease_ttl": positive_duration(),
        "max_lease_ttl": positive_duration(),
        "max_attempts": whole(1, 1000),
        "max_leases_per_agent": whole(1, 100_000),
        "adhoc_tasks": FLAG,
        "mailbox_limit": whole(1, 1_000_000),
    }
)
SUPERVISOR = Fields(
    {
        "strategy": choice(["one_for_one", "one_for_all", "rest_for_one"]),
        "intensity": whole(0, 100_000),
        "period": positive_duration(),
        "on_give_up": choice(["park", "exit"]),
    }
)
JOURNAL = Fields({"durability": choice(["fsync", "flush"]), "rotate_size": SIZE, "keep_segments": whole(0, 1_000_000)})
RELAY = Fields({"enabled": FLAG, "root": TEXT})
BACKOFF = Fields(
    {
        "initial": DURATION,
        "factor": number(1, 100),
        "max": DURATION,
        "jitter": number(0, 1),
        "reset_after": DURATION,
    }
)
READY = Fields(
    {
        "type": choice(["started", "hello", "log", "tcp", "http", "exec"]),
        "timeout": positive_duration(),
        "pattern": pattern_text(),
        "host": TEXT,
        "port": whole(1, 65535),
        "url": TEXT,
        "command": Command(),
        "interval": positive_duration(),
    }
)
LIVENESS = Fields(
    {"heartbeat_timeout": DURATION, "progress_timeout": DURATION, "action": choice(["restart", "report"])}
)
WORKER = Fields(
    {
        "command": Command(),
        "entrypoint": TEXT,
        "agent": choice(ADAPTERS),
        "cli": Fields(
            {
                "command": Command(),
                "stream": choice(["claude", "codex", "gemini", "opencode", "text"]),
                "prompt": choice(["stdin", "argument"]),
                "template": TEXT,
                "worktree": FLAG,
                "merge": FLAG,
                "stall_timeout": DURATION,
            }
        ),
        "profile": TEXT,
        "replicas": whole(1, MAX_REPLICAS),
        "cwd": TEXT,
        "env": MapOf(VARIABLE, VARIABLE_VALUE),
        "env_file": TEXT,
        "restart": choice(
            ["permanent", "transient", "temporary"],
            {"always": "permanent", "on-failure": "transient", "never": "temporary"},
        ),
        "success_exit_codes": ListOf(whole(0, 255)),
        "quota_exit_codes": ListOf(whole(0, 255)),
        "quota_delay": DURATION,
        "intensity": whole(0, 100_000),
        "period": positive_duration(),
        "backoff": BACKOFF,
        "start_after": MapOf(TEXT, choice(["started", "ready", "exited"])),
        "ready": READY,
        "liveness": LIVENESS,
        "stop": Fields({"signal": choice(SIGNALS), "grace": DURATION}),
        "limits": Fields({"memory": SIZE, "pids": whole(1, 1 << 22), "open_files": whole(16, 1 << 20)}),
        "logs": Fields({"rotate_size": SIZE, "keep": whole(0, 1000)}),
        "capabilities": ListOf(name_text()),
    }
)
TASK = Fields(
    {
        "id": name_text(RESERVED_NAMES),
        "title": TEXT,
        "run": TEXT,
        "prompt": TEXT,
        "priority": whole(-1_000_000, 1_000_000),
        "depends_on": ListOf(name_text()),
        "paths": ListOf(TEXT),
        "requires": ListOf(name_text()),
        "lease_ttl": positive_duration(),
        "max_attempts": whole(1, 1000),
    },
    required=["id"],
)
WORKER_NAME = name_text(RESERVED_NAMES | {"kortana"})  # its log would be the supervisor's own
WORKERS = MapOf(WORKER_NAME, WORKER)
TOP = Fields(
    {
        "version": whole(1, 1),
        "project": name_text(),
        "data_dir": TEXT,
        "coordinator": COORDINATOR,
        "supervisor": SUPERVISOR,
        "journal": JOURNAL,
        "relay": RELAY,
        "guard": choice(["off", "warn", "enforce"]),
        "defaults": WORKER,
        "workers": WORKERS,
        "tasks": ListOf(TASK),
    },
    required=["version"],
)
