"""Output for a person who may have stopped reading: taken as far as it is read, and never waited for."""

import os
import select
import socket
import stat


class Outlet:
    """One standard stream, under a descriptor of its own that does not block; the shared one stays as it is."""

    def __init__(self, fd: int) -> None:
        self._socket: socket.socket | None = None
        self.fd = os.dup(fd)
        mode = os.fstat(fd).st_mode
        if stat.S_ISSOCK(mode):  # which cannot be opened a second time
            self._socket = socket.socket(fileno=self.fd)
        elif not stat.S_ISREG(mode):
            try:
                opened = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            except OSError:
                return
            os.close(self.fd)
            self.fd = opened

    def write(self, data: bytes | bytearray) -> int:
        """How much of it was taken. Raises BlockingIOError where nothing is just now, OSError where nobody is there."""
        part = data[:65536]
        return os.write(self.fd, part) if self._socket is None else self._socket.send(part, socket.MSG_DONTWAIT)

    def put(self, data: bytes, patience_s: float) -> bytes:
        """What has not been taken when the time is over. Where nobody is there, it is all gone."""
        poll = select.poll()
        poll.register(self.fd, select.POLLOUT)
        try:
            while data and poll.poll(patience_s * 1000):
                data = data[self.write(data) :]
        except BlockingIOError:
            pass
        except OSError:
            return b""
        return data
