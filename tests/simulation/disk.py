"""A disk under the production journal: real files, and every call of the journal's may fail, or tear.

A power cut takes back what was not synced: the file keeps a random part of it, the end of that perhaps damaged.
"""

import os
import random
from pathlib import Path
from typing import Any

from kortana.adapters.files import journal as journal_module


class Crash(BaseException):
    """The process dies here: nothing after this instant happens."""


class FaultyOs:
    """Stands where the journal module expects `os`; passes on what it does not know."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.rates = {"crash": 0.0, "error": 0.0, "short": 0.0}
        self.synced: dict[int, int] = {}
        """Inode → the length that is on the platter."""
        self.counts: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _hit(self, kind: str) -> bool:
        if self.draw.random() >= self.rates[kind]:
            return False
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return True

    def write(self, fd: int, data: bytes) -> int:
        if self._hit("crash"):
            os.write(fd, data[: self.draw.randrange(len(data) + 1)])
            raise Crash
        if self._hit("error"):
            os.write(fd, data[: self.draw.randrange(len(data))])
            raise OSError(28, "No space left on device")
        if len(data) > 1 and self._hit("short"):
            return os.write(fd, data[: self.draw.randrange(1, len(data))])
        return os.write(fd, data)

    def fdatasync(self, fd: int) -> None:
        if self._hit("crash"):
            raise Crash
        if self._hit("error"):
            raise OSError(5, "Input/output error")
        info = os.fstat(fd)
        self.synced[info.st_ino] = info.st_size
        if self._hit("crash"):
            raise Crash

    fsync = fdatasync

    def ftruncate(self, fd: int, size: int) -> None:
        if self._hit("error"):
            raise OSError(5, "Input/output error")
        os.ftruncate(fd, size)

    def rename(self, old: Path, new: Path) -> None:
        if self._hit("crash"):
            raise Crash
        os.rename(old, new)
        if self._hit("crash"):
            raise Crash

    def cut_power(self, folder: Path) -> None:
        """What was never synced is wholly or partly lost, and its end may be garbage."""
        self.counts["power cut"] = self.counts.get("power cut", 0) + 1
        for path in folder.glob("coordination_events*.jsonl"):
            info = path.stat()
            safe = min(self.synced.get(info.st_ino, 0), info.st_size)
            keep = self.draw.randint(safe, info.st_size)
            with path.open("r+b") as file:
                file.truncate(keep)
                if keep > safe and self.draw.random() < 0.3:
                    start = self.draw.randrange(safe, keep)
                    file.seek(start)
                    file.write(self.draw.randbytes(keep - start))


class Installed:
    """The faulty disk in place of the real one, for as long as the block lasts."""

    def __init__(self, disk: FaultyOs) -> None:
        self._disk = disk

    def __enter__(self) -> FaultyOs:
        self._real = journal_module.os, journal_module._sync
        journal_module.os = self._disk  # type: ignore[assignment]
        journal_module._sync = self._disk.fdatasync
        return self._disk

    def __exit__(self, *_: object) -> None:
        journal_module.os, journal_module._sync = self._real  # type: ignore[assignment]
