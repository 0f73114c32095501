"""Shows the workers' output to whoever watches `kortana up`: `name | line`, never waiting for a slow terminal."""

import select
from collections.abc import Callable

from kortana.processes.descriptors import wait_writable
from kortana.processes.loop import Loop
from kortana.processes.messages import LauncherOptions
from kortana.processes.outlet import Outlet

MAX_WAITING = 1 << 20
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


class Echo:
    """Writes to stdout without blocking. What a reader does not take within 1 MiB is dropped, and counted."""

    def __init__(self, options: LauncherOptions) -> None:
        self._options = options
        self._out = Outlet(1)
        self._waiting = bytearray()
        self._dropped = 0
        self._epoll: select.epoll | None = None
        self._armed = False
        self._names = 0

    def attach(self, loop: Loop) -> None:
        """Joins the launcher's loop. A regular file cannot be waited for, and never blocks for long."""
        try:
            loop.watch(self._out.fd, self._flush, 0)
        except PermissionError:
            return
        self._epoll = loop.epoll

    def line_writer(self, name: str) -> Callable[[bytes], None]:
        """A function that shows one line of that worker."""
        head = name.ljust(self._options.name_width).encode() + b" | "
        if self._options.colour:
            head = b"\x1b[%dm%b\x1b[0m" % (_COLOURS[self._names % len(_COLOURS)], head)
            self._names += 1
        if self._options.live:
            head = b"\r\x1b[K" + head

        def write(line: bytes) -> None:
            self._put(head + line + b"\n")

        return write

    def _put(self, data: bytes) -> None:
        if len(self._waiting) > MAX_WAITING:
            self._dropped += 1
            return
        self._waiting += data
        if not self._armed:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: self._out.write(self._waiting)]
            if self._dropped:
                self._waiting += b"kortana | %d lines not shown: they came too fast (see data/logs)\n" % self._dropped
                self._dropped = 0
        except BlockingIOError:
            pass
        except OSError:
            self._waiting.clear()
        self._arm(bool(self._waiting))

    def _arm(self, wanted: bool) -> None:
        if self._epoll is not None and wanted != self._armed:
            self._epoll.modify(self._out.fd, select.EPOLLOUT if wanted else 0)
            self._armed = wanted

    def finish(self) -> None:
        """Writes what still waits, as far as somebody reads it within half a second."""
        for _ in range(10):
            self._flush()
            if not self._waiting:
                return
            wait_writable(self._out.fd, 0.05)
