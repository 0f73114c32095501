"""How a thread that waits is woken, by other threads and by signals. The main thread's only, where signals count."""

import contextlib
import selectors
import signal
import socket


class Wakeup:
    """`wait` ends at `wake`, and at each signal that has a handler; what came before it is not missed.

    The kernel gives a signal to any thread, and where two come at once it may give both to one that is not the main
    thread: then nothing that the main thread waits for ends, neither a lock nor a queue, and the handlers, which only
    the main thread runs, wait with it. So it waits for a socket here, into which the interpreter writes at each signal.
    """

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)

    def heed_signals(self) -> None:
        """Main thread only."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def wake(self) -> None:
        """Any thread, and a signal's handler; also after `close`, when nobody waits."""
        with contextlib.suppress(OSError):  # a full socket wakes as well
            self._writer.send(b"\0")

    def wait(self, timeout_s: float | None) -> bool:
        """Whether it was woken; False after `timeout_s`."""
        if not self._selector.select(timeout_s):
            return False
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(4096)
        return True

    def close(self) -> None:
        """Main thread only."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._reader.close()
        self._writer.close()
