"""Waits until something in a folder is written, comes or goes: by inotify, else by ten looks a second."""

import ctypes
import os
import struct
import time
from collections import deque
from pathlib import Path

from kortana.processes.descriptors import wait_readable

_IN_MODIFY, _IN_CREATE, _IN_DELETE, _IN_DELETE_SELF, _IN_MOVE_SELF = 0x2, 0x100, 0x200, 0x400, 0x800
_IN_MOVED_FROM, _IN_MOVED_TO = 0x40, 0x80
_NAMES = _IN_CREATE | _IN_DELETE | _IN_MOVED_FROM | _IN_MOVED_TO
_MASK = _IN_MODIFY | _NAMES | _IN_DELETE_SELF | _IN_MOVE_SELF
_EVENT = struct.Struct("iIII")
MAX_RENAMES = 1000
POLL_S = 0.1
"""Where there is no inotify."""
CHECK_S = 2.0
"""So often is looked whether the folder is still the one that is watched: the system says so only once nobody has a
file of a removed one open, and never where a folder above it was moved."""
_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """Of one folder, which may come only later, or go and come again."""

    def __init__(self, folder: Path, names_only: bool = False) -> None:
        """names_only: what is written to its files is of no interest."""
        self._folder = folder
        self._mask = _MASK & ~_IN_MODIFY if names_only else _MASK
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._renames: deque[tuple[str, str]] = deque(maxlen=MAX_RENAMES)
        self._leaving: dict[int, str] = {}
        self._watch()

    def wait(self, timeout_s: float | None = None) -> bool | None:
        """Returns when something may have happened since the last call: True where names may be others. None
        when the time is over."""
        if self._fd < 0:
            self._watch()
            if self._fd < 0:
                self._wait_without(timeout_s)
            return True
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not wait_readable(self._fd, _at_most(CHECK_S, timeout_s)):
            if self._identity != self._found():
                self.close()
                return True
            if deadline is not None:
                timeout_s = max(deadline - time.monotonic(), 0.0)
                if not timeout_s:
                    return None
        mask = self._read()
        if mask & (_IN_DELETE_SELF | _IN_MOVE_SELF):
            self.close()
        return bool(mask & ~_IN_MODIFY)

    def take_renames(self) -> list[tuple[str, str]]:
        """Names within the folder that became others since the last call, in order, the last thousand; none are seen
        where there is no inotify."""
        taken = list(self._renames)
        self._renames.clear()
        return taken

    def _found(self) -> tuple[int, int] | None:
        try:
            info = os.stat(self._folder)
        except OSError:
            return None
        return info.st_dev, info.st_ino

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _watch(self) -> None:
        self._identity = self._found()
        fd = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if fd >= 0:
            is_watched = _libc.inotify_add_watch(fd, os.fsencode(self._folder), self._mask) >= 0
            if not is_watched or self._identity != self._found():
                os.close(fd)
                fd = -1
        self._fd = fd

    def _wait_without(self, timeout_s: float | None) -> None:
        """For the folder to come, by way of the nearest one that is there; where there is no inotify, for a moment."""
        folder = self._folder
        if not folder.is_dir():
            nearest = _nearest(folder)
            above = FolderWatch(nearest)
            try:
                if above._fd >= 0:
                    if not folder.is_dir() and _nearest(folder) == nearest:  # it has come no nearer meanwhile
                        above.wait(timeout_s)
                    return
            finally:
                above.close()
        time.sleep(_at_most(POLL_S, timeout_s))

    def _read(self) -> int:
        """What has happened since the last call, as one mask."""
        found = 0
        try:
            while data := os.read(self._fd, 65536):
                at = 0
                while at < len(data):
                    _, mask, cookie, length = _EVENT.unpack_from(data, at)
                    at += _EVENT.size
                    found |= mask
                    if cookie:
                        self._renamed(mask, cookie, os.fsdecode(data[at : at + length].rstrip(b"\0")))
                    at += length
        except BlockingIOError:
            pass
        return found

    def _renamed(self, mask: int, cookie: int, name: str) -> None:
        """Two events with one cookie, one right after the other; one alone: into another folder, or out of one."""
        if mask & _IN_MOVED_FROM:
            self._leaving = {cookie: name}
        elif (old := self._leaving.pop(cookie, None)) is not None:
            self._renames.append((old, name))


def _at_most(bound_s: float, timeout_s: float | None) -> float:
    return bound_s if timeout_s is None else min(timeout_s, bound_s)


def _nearest(folder: Path) -> Path:
    """The nearest folder above it that is there."""
    return next(parent for parent in folder.absolute().parents if parent.is_dir())
