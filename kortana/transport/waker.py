"""Ends the wait of a thread in `select`, from any other thread."""

import socket


class Waker:
    """A pair of sockets, one of which is waited for. Any thread may wake; one waits and takes the wakes in."""

    def __init__(self) -> None:
        self.fd, self._in = socket.socketpair()
        """The socket to wait for."""
        self.fd.setblocking(False)
        self._in.setblocking(False)
        self._woken = False

    def wake(self) -> None:
        """Makes a wait, or the next one, end at once."""
        if not self._woken:
            self._woken = True
            try:
                self._in.send(b"\0")
            except BlockingIOError:
                pass

    def wait(self, timeout_s: float | None) -> None:
        """Waits for a wake alone."""
        self.fd.settimeout(timeout_s)
        try:
            self.drain()
        finally:
            self.fd.setblocking(False)

    def drain(self) -> None:
        """Takes in what has come, first of all: a flag taken back before could be set again by a byte eaten here."""
        try:
            self.fd.recv(4096)
        except (BlockingIOError, TimeoutError):
            pass
        self._woken = False

    def close(self) -> None:
        self.fd.close()
        self._in.close()
