"""The code that a worker runs: the git commit of its working directory, and whether that is dirty."""

import subprocess
import threading
import time
from contextlib import suppress
from typing import Any

from kortana.agent.git import environment_elsewhere
from kortana.processes.reaping import own_child
from kortana.processes.threads import starting_threads

VERSION_MAX_AGE_S = 30.0
GIT_TIMEOUT_S = 5.0


class CodeVersions:
    """The git commit of each working directory, and whether it is dirty; looked up beside everything else."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, dict[str, Any] | None]] = {}
        self._lock = threading.Lock()

    def refresh(self, cwd: str) -> None:
        """Called at a worker's start: by its death the answer is there."""
        with self._lock:
            known = self._known.get(cwd)
            if known is not None and time.monotonic() - known[0] < VERSION_MAX_AGE_S:
                return
            self._known[cwd] = (time.monotonic(), known[1] if known else None)
        with suppress(OSError), starting_threads():
            threading.Thread(target=self._look, args=(cwd,), name="code-version", daemon=True).start()

    def of(self, cwd: str) -> dict[str, Any] | None:
        known = self._known.get(cwd)
        return known[1] if known else None

    def _look(self, cwd: str) -> None:
        try:
            commit = _git(cwd, "rev-parse", "HEAD")
            dirty = bool(_git(cwd, "status", "--porcelain", "--untracked-files=no"))
        except (OSError, subprocess.SubprocessError):
            return
        self._known[cwd] = (time.monotonic(), {"commit": commit, "dirty": dirty})


def _git(cwd: str, *words: str) -> str:
    environment = {**environment_elsewhere(), "GIT_OPTIONAL_LOCKS": "0"}
    with own_child():
        done = subprocess.run(
            ["git", "-C", cwd, *words], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True,
            env=environment,
        )  # fmt: skip
    return done.stdout.strip()
