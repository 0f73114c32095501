"""Locks that the kernel lets go with their holder: one owner of a data folder, and turns at a shared thing."""

import contextlib
import fcntl
import os
import random
import time
from pathlib import Path

from kortana.processes import numbering

_MAX_TRIES = 2000
"""Of a few milliseconds each: sharing takes microseconds."""
ENDING_S = 0.001
"""Between looks at one that was killed: its files are closed some milliseconds after its memory is gone."""


class HeldError(Exception):
    """Somebody else owns the folder. Carries the holder's pid where it is known here."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"already running (pid {pid})" if pid else "already running")
        self.pid = pid


class FolderLock:
    """An flock on a file that names its holder. What a crash leaves behind holds nothing.

    Who only asks (`holder_of`) shares the lock for a moment: that is in nobody's way who asks too, and one who wants to
    hold it finds by sharing it himself that nobody holds it, and tries again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> None:
        """Raises HeldError at once where it is held, and OSError."""
        fd = _open(self.path)
        try:
            for _ in range(_MAX_TRIES):
                if _lock_now(fd, fcntl.LOCK_EX):
                    break
                if _lock_now(fd, fcntl.LOCK_SH):
                    fcntl.flock(fd, fcntl.LOCK_UN)
                elif (holder := _named_in(fd)) is not None:
                    pid = numbering.pid_here(*holder)
                    if not _is_ending(pid):
                        raise HeldError(pid)
                time.sleep(random.uniform(0.0, 0.005))  # somebody only asks, is about to write its number, or ends
            else:
                raise HeldError(None)
            os.ftruncate(fd, 0)
            os.write(fd, f"{os.getpid()} {numbering.own()}\n".encode())
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def is_in_place(self) -> bool:
        """Whether the held file is where it was: elsewhere, or removed, it keeps nobody out. True once it is let go."""
        try:
            own = os.fstat(self._fd)
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return os.path.samestat(found, own)

    def release(self) -> None:
        """Also where the disk is gone: nobody reads the name of a holder that holds nothing."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def holder_of(path: Path) -> int | None:
    """The pid of the process that holds the lock now, as it is called here; 0 where it has not said yet, or is in a PID
    namespace that this process does not see into; None where nobody holds it.

    Raises PermissionError where one may not ask."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        raise
    except OSError:
        return None
    try:
        for _ in range(_MAX_TRIES):
            if _lock_now(fd, fcntl.LOCK_SH):
                return None
            holder = _named_in(fd)
            pid = 0 if holder is None else numbering.pid_here(*holder) or 0
            if not _is_ending(pid):
                break
            time.sleep(ENDING_S)
        return pid
    finally:
        os.close(fd)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock_now(fd: int, how: int) -> bool:
    """Whether it could be had without waiting."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _named_in(fd: int) -> tuple[int, str] | None:
    """The holder's number, and where that counts."""
    pid, _, where = os.pread(fd, 128, 0).decode(errors="replace").strip().partition(" ")
    return (int(pid), where) if pid.isdigit() else None


def _is_ending(pid: int | None) -> bool:
    """Whether a process has given its memory back, and maybe not yet its files: what it holds is free in a moment.
    False for one whose pid is not known here."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return file.read().split()[0] == b"0"
    except (OSError, IndexError):
        return False


class IntentLock:
    """Turns by an flock whose file says what its holder is about to do. A holder that dies leaves that to the next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> bytes:
        """Waits for the turn; gives what a holder that died had begun, or nothing. Raises OSError."""
        self._fd = _open(self.path)
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        return os.pread(self._fd, os.fstat(self._fd).st_size, 0)

    def intend(self, what: bytes) -> None:
        """Says, durably, what is begun; nothing: it is done. A death in between leaves the old word or the new one
        with blanks or a rest of the old behind it, which no decoder takes for another."""
        os.pwrite(self._fd, what, 0)
        os.ftruncate(self._fd, len(what))
        os.fsync(self._fd)

    def written_ns(self) -> int:
        """When the intent was written, on the clock of the files' own times."""
        return os.fstat(self._fd).st_mtime_ns

    def release(self) -> None:
        os.close(self._fd)
        self._fd = -1
