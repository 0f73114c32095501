"""What others have at work in a folder: a person's git, say."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from kortana.processes.tree import all_processes
from kortana.processes.watched import Watched


def wait_for_bystanders(folder: Path, program: str, timeout_s: float) -> None:
    """Waits for the end of those processes of a program that stand in a folder now, and not for those that come."""
    deadline = time.monotonic() + timeout_s
    with contextlib.ExitStack() as watched:
        for each in [found for pid in _standing_in(folder, program) if (found := Watched.of(pid))]:
            watched.callback(each.close)
            each.ended(max(0.0, deadline - time.monotonic()))


def _standing_in(folder: Path, program: str) -> Iterator[int]:
    """By the folder itself, which within a container has another path."""
    place = os.stat(folder)
    for pid in all_processes():
        with contextlib.suppress(OSError):
            is_one = Path(f"/proc/{pid}/comm").read_text().rstrip("\n") == program
            if is_one and os.path.samestat(os.stat(f"/proc/{pid}/cwd"), place):
                yield pid
