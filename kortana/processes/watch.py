"""Waits until something below a folder is written, by inotify."""

import ctypes
import os
import select
from pathlib import Path

_IN_MODIFY, _IN_CREATE, _IN_MOVED_TO = 0x2, 0x100, 0x80
_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """One inotify watch. Raises OSError where the system has none left."""

    def __init__(self, folder: Path) -> None:
        self._fd = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        mask = _IN_MODIFY | _IN_CREATE | _IN_MOVED_TO
        if self._fd < 0 or _libc.inotify_add_watch(self._fd, os.fsencode(folder), mask) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))

    def wait(self, timeout_s: float | None = None) -> None:
        """Returns when something was written since the last call, or the time is over."""
        select.select([self._fd], [], [], timeout_s)
        try:
            while os.read(self._fd, 65536):
                pass
        except BlockingIOError:
            pass
