"""One epoll over everything that a single-threaded process waits for: a handler for each file, SIGCHLD and moments."""

import heapq
import itertools
import os
import select
import signal
import time
from collections.abc import Callable


class Timer:
    """A moment to come."""

    def __init__(self, at: float, handler: Callable[[], None]) -> None:
        self.at, self.handler = at, handler
        self.is_due = True
        """Not called yet, and not cancelled."""

    def cancel(self) -> None:
        self.is_due = False


class Loop:
    """Calls the handler of whatever is ready, in the thread that asks for a turn."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.handlers: dict[int, Callable[[], None]] = {}
        self._fresh: set[int] = set()
        """Files that are watched since this turn began: what it has found ready under such a number was another file,
        which a handler has closed. Who would read of the new one would wait for what may never come."""
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def watch(self, fd: int, handler: Callable[[], None], mask: int = select.EPOLLIN) -> None:
        """Raises PermissionError for a file that cannot be waited for."""
        self.epoll.register(fd, mask)
        self.handlers[fd] = handler
        self._fresh.add(fd)

    def unwatch(self, fd: int) -> None:
        """Closes it too."""
        del self.handlers[fd]
        self.epoll.unregister(fd)
        os.close(fd)

    def watch_children(self, reap: Callable[[], None]) -> None:
        """`reap` is called in a turn after a child has ended. Signals that ask for an end are left to the parent."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTOU):
            signal.signal(number, signal.SIG_IGN)

        def on_signal() -> None:
            os.read(read_end, 4096)
            reap()

        self.watch(read_end, on_signal)

    def later(self, delay_s: float, handler: Callable[[], None]) -> Timer:
        """`handler` is called once, in a turn after that time."""
        timer = Timer(time.monotonic() + delay_s, handler)
        heapq.heappush(self._timers, (timer.at, next(self._order), timer))
        return timer

    def turn(self) -> None:
        """Waits for something to happen, and has it handled."""
        first = self._first()
        ready = self.epoll.poll(None if first is None else max(first.at - time.monotonic(), 0.0))
        self._fresh.clear()
        for fd, _ in ready:
            handler = self.handlers.get(fd)
            if handler is not None and fd not in self._fresh:
                handler()
        while (first := self._first()) is not None and first.at <= time.monotonic():
            first.cancel()
            first.handler()

    def _first(self) -> Timer | None:
        while self._timers and not self._timers[0][2].is_due:
            heapq.heappop(self._timers)
        return self._timers[0][2] if self._timers else None
