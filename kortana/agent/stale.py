"""Locks that a git which was killed has left behind. git itself waits for them for a moment, and then gives up."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

STALE_S = 2.0
"""A git that lives holds a lock for less, but for one that waits for its user; and that one's is older than ours."""


def drop_stale(paths: Iterable[Path]) -> None:
    """Removes those that are stale."""
    for path in found_stale(paths):
        path.unlink(missing_ok=True)


def found_stale(paths: Iterable[Path], since_ns: int = 0) -> set[Path]:
    """Those that were made since then (of the files' clock, nanoseconds) and stay as they are until they are older than
    a living git's would be."""
    found = {path: stat for path in paths if (stat := _stat(path)) and stat.st_mtime_ns >= since_ns}
    if not found:
        return set()
    youngest = max(stat.st_mtime for stat in found.values())
    time.sleep(min(max(0.0, youngest + STALE_S - time.time()), STALE_S))
    return {path for path, stat in found.items() if _is_same(_stat(path), stat)}


def reftable_locks(git_dir: Path) -> set[Path]:
    """Where all references are kept in one table (git 2.45 and later, by choice): the locks on it."""
    return set(git_dir.glob("reftable/*.lock"))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _is_same(now: os.stat_result | None, before: os.stat_result) -> bool:
    return now is not None and (now.st_ino, now.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
