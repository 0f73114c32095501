"""Ends the wait of a thread in `select`, from any other thread, and at signals."""

import contextlib
import signal
import socket


class Waker:
    """A pair of sockets, one of which is waited for. Any thread may wake; one waits and takes the wakes in."""

    def __init__(self) -> None:
        self.fd, self._in = socket.socketpair()
        """The socket to wait for."""
        self.fd.setblocking(False)
        self._in.setblocking(False)
        self._woken = self._heeds_signals = False

    def heed_signals(self) -> None:
        """From now on each signal that has a handler wakes, too. Main thread only, which then has to be who waits.

        The kernel gives a signal to any thread, and where two come at once it may give both to one that is not the main
        thread: then nothing else that the main thread waits for ends, neither a lock nor a queue, and the handlers,
        which only the main thread runs, wait with it. Into a socket the interpreter writes at each signal.
        """
        signal.set_wakeup_fd(self._in.fileno(), warn_on_full_buffer=False)
        self._heeds_signals = True

    def wake(self) -> None:
        """Makes a wait, or the next one, end at once. Also after `close`, when nobody waits."""
        if not self._woken:
            self._woken = True
            with contextlib.suppress(OSError):  # a full socket wakes as well
                self._in.send(b"\0")

    def wait(self, timeout_s: float | None) -> bool:
        """Waits for a wake alone. Whether there was one in time."""
        self.fd.settimeout(timeout_s)
        try:
            return self.drain()
        finally:
            self.fd.setblocking(False)

    def drain(self) -> bool:
        """Takes in what has come, first of all: a flag taken back before could be set again by a byte eaten here."""
        try:
            self.fd.recv(4096)
        except (BlockingIOError, TimeoutError):
            return False
        finally:
            self._woken = False
        return True

    def close(self) -> None:
        if self._heeds_signals:
            signal.set_wakeup_fd(-1)
        self.fd.close()
        self._in.close()
