"""A disk under the production journal and snapshots: real files, and every call of theirs may fail, or tear.

A power cut takes back what was not synced: a file keeps a random part of what it had since its last sync, the end
of that perhaps damaged; and names that were made, or moved, since their folder was last synced may be as before.
"""

import os
import random
import sys
from pathlib import Path
from typing import Any

from kortana.actors import snapshotting
from kortana.adapters.files import journal as journal_module
from kortana.adapters.files import layout as layout_module


class Crash(BaseException):
    """The process dies here: nothing after this instant happens."""


class FaultyOs:
    """Stands where the files' modules expect `os`; passes on what it does not know."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.rates = {"crash": 0.0, "error": 0.0, "short": 0.0}
        self.synced: dict[int, int] = {}
        """Inode → the length that is on the platter."""
        self.before: dict[Path, bytes | None] = {}
        """Name → what it held when its folder was last synced; None where it was not there."""
        self.counts: dict[str, int] = {}
        self.lies_to = ""
        """The function, `name` or `name of a folder`, whose syncs do nothing: for a test of the tests."""

    def _lies(self, suffix: str = "") -> bool:
        if not self.lies_to:
            return False
        frame, names = sys._getframe(2), []
        while frame is not None and len(names) < 4:
            names.append(frame.f_code.co_name + suffix)
            frame = frame.f_back  # type: ignore[assignment]
        return self.lies_to in names

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _hit(self, kind: str) -> bool:
        if self.draw.random() >= self.rates[kind]:
            return False
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return True

    def _unsettle(self, path: Path) -> None:
        """This name is about to change."""
        path = Path(path)
        if path not in self.before:
            self.before[path] = self._platter(path) if path.exists() else None

    def _platter(self, path: Path) -> bytes:
        return path.read_bytes()[: self.synced.get(path.stat().st_ino, 0)]

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT and self._hit("error"):
            raise OSError(28, "No space left on device")
        if flags & os.O_CREAT and not Path(path).exists():
            self._unsettle(path)
        return os.open(path, flags, mode)

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
        if self._lies():
            return
        info = os.fstat(fd)
        self.synced[info.st_ino] = info.st_size
        if self._hit("crash"):
            raise Crash

    def fsync(self, fd: int) -> None:
        self.fdatasync(fd)

    def sync_folder(self, folder: Path) -> None:
        if self._hit("error"):
            raise OSError(5, "Input/output error")
        if not self._lies(" of a folder"):
            self.before.clear()

    def ftruncate(self, fd: int, size: int) -> None:
        if self._hit("error"):
            raise OSError(5, "Input/output error")
        os.ftruncate(fd, size)

    def rename(self, old: Path, new: Path) -> None:
        if self._hit("crash"):
            raise Crash
        if self._hit("error"):
            raise OSError(5, "Input/output error")
        self._unsettle(old)
        self._unsettle(new)
        os.rename(old, new)
        if self._hit("crash"):
            raise Crash

    def replace(self, old: Path, new: Path) -> None:
        self.rename(old, new)

    def cut_power(self, folder: Path) -> None:
        """What was never synced is wholly or partly lost, and its end may be garbage."""
        self.counts["power cut"] = self.counts.get("power cut", 0) + 1
        names_lost = self.draw.random() < 0.5
        for path in [*folder.glob("coordination_events*.jsonl"), *folder.glob("*.json")]:
            info = path.stat()
            safe = min(self.synced.get(info.st_ino, 0), info.st_size)
            keep = self.draw.randint(safe, info.st_size)
            with path.open("r+b") as file:
                file.truncate(keep)
                if keep > safe and self.draw.random() < 0.3:
                    start = self.draw.randrange(safe, keep)
                    file.seek(start)
                    file.write(self.draw.randbytes(keep - start))
        if names_lost:
            for path, content in self.before.items():
                path.unlink(missing_ok=True)
                if content is not None:
                    path.write_bytes(content)
                    self.synced[path.stat().st_ino] = len(content)
        self.before.clear()


class LateSync:
    """A sync behind the scenes: it happens when it is waited for, at a kill perhaps, and at times it cannot begin."""

    def __init__(self, disk: FaultyOs) -> None:
        self._disk, self._fd = disk, -1

    def begin(self, fd: int) -> bool:
        self._fd = fd
        return self._disk.draw.random() < 0.9

    def has_ended(self) -> bool:
        return True

    def end(self) -> None:
        self._disk.fdatasync(self._fd)

    def killed(self) -> None:
        """The kernel may go through with what a dead process has begun."""
        if self._disk.draw.random() < 0.5:
            rates, self._disk.rates = self._disk.rates, dict.fromkeys(self._disk.rates, 0.0)
            self._disk.fdatasync(self._fd)
            self._disk.rates = rates


class Installed:
    """The faulty disk in place of the real one, and frequent checkpoints, for as long as the block lasts."""

    def __init__(self, disk: FaultyOs) -> None:
        self._disk = disk

    def __enter__(self) -> FaultyOs:
        self._real = journal_module.os, journal_module._sync, journal_module.sync_folder
        self._real_layout = layout_module.os, layout_module.sync_folder
        self._real_rate = snapshotting.CHECKPOINT_RECORDS, journal_module.MIN_BEHIND
        journal_module.os = layout_module.os = self._disk  # type: ignore[assignment]
        journal_module._sync = lambda fd: self._disk.fdatasync(fd)
        journal_module.sync_folder = layout_module.sync_folder = lambda folder: self._disk.sync_folder(folder)
        snapshotting.CHECKPOINT_RECORDS, journal_module.MIN_BEHIND = 60, 3
        return self._disk

    def __exit__(self, *_: object) -> None:
        journal_module.os, journal_module._sync, journal_module.sync_folder = self._real  # type: ignore[assignment]
        layout_module.os, layout_module.sync_folder = self._real_layout  # type: ignore[assignment]
        snapshotting.CHECKPOINT_RECORDS, journal_module.MIN_BEHIND = self._real_rate
