"""One task: its statuses, and the fields that task_graph.json shows of it."""

from typing import Any

import msgspec

PENDING = "pending"
IN_PROGRESS = "in_progress"
BLOCKED = "blocked"
COMPLETED = "completed"
FAILED = "failed"
CANCELLED = "cancelled"
STATUSES = (PENDING, IN_PROGRESS, BLOCKED, COMPLETED, FAILED, CANCELLED)
TERMINAL = frozenset({COMPLETED, CANCELLED})
FINISHED = frozenset({COMPLETED, CANCELLED, FAILED})
"""Statuses in which nothing more will happen by itself."""
_HAVING = {
    (run, prompt, title): frozenset(
        name for name, there in (("run", run), ("prompt", prompt), ("title", title)) if there
    )
    for run in (False, True) for prompt in (False, True) for title in (False, True)
}  # fmt: skip


class Task(msgspec.Struct, gc=False):
    """One task; encodes as its entry in task_graph.json."""

    id: str
    status: str = PENDING
    owner: str | None = None
    lease_expiry: str | None = None
    lease_token: int | None = None
    lease_ttl_s: float | None = None
    """The TTL in force while leased."""
    blocked: bool = False
    blocker: dict[str, Any] | None = None
    """`{"reason", "needs", "by"}`."""
    progress: float | None = None
    """0 to 100, percent."""
    attempts: int = 0
    priority: int = 50
    depends_on: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    title: str = ""
    updated_at: str = ""
    ttl_s: float | None = None
    """The task's own default TTL."""
    max_attempts: int = 3
    requires: tuple[str, ...] = ()
    run: str | None = None
    prompt: str | None = None
    details: str = ""
    result: Any = None
    quarantined: bool = False
    created_seq: int = 0
    tied: bool = False
    """The lease ends with the connection that claimed it."""
    crashes: tuple[str, ...] = ()
    """The crash records of the workers that it was lost with, the latest ones."""

    def having(self) -> frozenset[str]:
        """Which of `run`, `prompt` and `title` say what is to be done."""
        return _HAVING[bool(self.run), bool(self.prompt), bool(self.title)]
