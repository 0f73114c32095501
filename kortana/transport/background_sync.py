"""Makes a file durable while its owner does something else: the kernel's own asynchronous fdatasync, on Linux.

No thread: a second one would take turns with the first at the interpreter's lock, which costs more than it saves.
The hub waits for its end as it waits for sockets.
"""

import ctypes
import errno
import os
import platform
import sys

# io_setup, io_submit, io_getevents. Source: the kernel's unistd headers.
_CALLS = {"x86_64": (206, 209, 208), "aarch64": (0, 2, 4), "riscv64": (0, 2, 4)}
_FDSYNC, _RESFD = 3, 1


class _Iocb(ctypes.Structure):
    """struct iocb of linux/aio_abi.h, little-endian."""

    _fields_ = [
        ("data", ctypes.c_uint64), ("key", ctypes.c_uint32), ("rw_flags", ctypes.c_uint32),
        ("opcode", ctypes.c_uint16), ("priority", ctypes.c_int16), ("fd", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64), ("size", ctypes.c_uint64), ("offset", ctypes.c_int64),
        ("reserved", ctypes.c_uint64), ("flags", ctypes.c_uint32), ("result_fd", ctypes.c_uint32),
    ]  # fmt: skip


class _Outcome(ctypes.Structure):
    """struct io_event."""

    _fields_ = [
        ("data", ctypes.c_uint64), ("iocb", ctypes.c_uint64), ("result", ctypes.c_int64), ("more", ctypes.c_int64)
    ]  # fmt: skip


class BackgroundSync:
    """One sync at a time, of one process and one thread. `open` it; there may be none here."""

    def __init__(self, calls: tuple[int, int, int]) -> None:
        """Raises OSError where the kernel or a sandbox has no asynchronous I/O."""
        setup, self._submit, self._get = calls
        self._waiting, self._quick = ctypes.CDLL(None, use_errno=True), ctypes.PyDLL(None, use_errno=True)
        self._context = ctypes.c_ulong(0)
        if self._quick.syscall(setup, 1, ctypes.byref(self._context)) != 0:
            raise OSError(ctypes.get_errno(), "io_setup")
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable once what was begun has ended; then `notice` is to be called."""
        self._ended = False
        self._request = _Iocb(opcode=_FDSYNC, flags=_RESFD, result_fd=self.fd)
        self._requests = (ctypes.POINTER(_Iocb) * 1)(ctypes.pointer(self._request))
        self._outcome = _Outcome()

    @classmethod
    def open(cls) -> "BackgroundSync | None":
        calls = _CALLS.get(platform.machine()) if sys.platform == "linux" else None
        try:
            return cls(calls) if calls is not None else None
        except OSError:
            return None

    def begin(self, fd: int) -> bool:
        """Begins to make all durable that was written to a file. False where that cannot be done behind."""
        self._request.fd = fd
        self._ended = False
        return bool(self._quick.syscall(self._submit, self._context, 1, self._requests) == 1)

    def has_ended(self) -> bool:
        """Whether `end` would not wait."""
        if not self._ended:
            self.notice()
        return self._ended

    def notice(self) -> None:
        """Looks whether the eventfd is readable."""
        try:
            os.eventfd_read(self.fd)
            self._ended = True
        except BlockingIOError:
            pass

    def end(self) -> None:
        """Waits for the end of what was begun. Raises OSError where the file is not durable."""
        while self._waiting.syscall(self._get, self._context, 1, 1, ctypes.byref(self._outcome), None) != 1:
            if ctypes.get_errno() != errno.EINTR:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        if not self._ended:
            self.notice()
        if self._outcome.result != 0:
            raise OSError(-self._outcome.result, os.strerror(-self._outcome.result))
