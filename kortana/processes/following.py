"""Follows a child by its output and its end, whoever else may hold its pipe."""

import os
import select
import subprocess
import time
from collections.abc import Callable

READ_BYTES = MAX_LINE = 64 * 1024
QUIET_S, LINGER_S = 0.3, 2.0
"""Once it has ended, what still comes is taken until there was nothing for the first, and for the second at most:
something that it has started may hold the pipe, and write to it for ever."""


class _Lines:
    def __init__(self, take: Callable[[str], None], most: int) -> None:
        self._take, self._most, self._rest = take, most, bytearray()

    def feed(self, data: bytes) -> None:
        whole, line_feed, begun = data.rpartition(b"\n")
        if line_feed:
            self._rest += whole
            for line in self._rest.split(b"\n"):
                self._give(line)
            self._rest = bytearray()
        self._rest += begun
        while len(self._rest) >= self._most:
            self._give(self._rest[: self._most])
            del self._rest[: self._most]

    def end(self) -> None:
        if self._rest:
            self._give(self._rest)
            self._rest = bytearray()

    def _give(self, line: bytearray) -> None:
        for begin in range(0, max(len(line), 1), self._most):
            self._take(line[begin : begin + self._most].decode("utf-8", "replace"))


def follow(
    process: "subprocess.Popen[bytes]", take: Callable[[str], None], stall_s: float = 0.0, max_line: int = MAX_LINE
) -> bool:
    """Gives each line of its stdout, a pipe, to `take` until the process itself has ended; closes the pipe.

    stall_s: False as soon as it has said nothing for so long, with the process as it is; 0 waits for ever. max_line:
    bytes; a longer line is given in pieces.
    """
    assert process.stdout is not None
    out, end_of_process = process.stdout.fileno(), _pidfd(process)
    os.set_blocking(out, False)
    poll = select.poll()
    poll.register(out, select.POLLIN)
    if end_of_process >= 0:
        poll.register(end_of_process, select.POLLIN)
    lines = _Lines(take, max_line)
    heard = time.monotonic()
    ended_at = heard if end_of_process < 0 else None
    is_open = True
    try:
        while is_open or ended_at is None:
            now = time.monotonic()
            left: float | None = heard + stall_s - now if stall_s else None
            if ended_at is not None:
                left = min(heard + QUIET_S, ended_at + LINGER_S) - now
            if left is not None and left <= 0:
                if ended_at is None:
                    return False
                break
            for fd, _ in poll.poll(None if left is None else left * 1000):
                if fd == end_of_process:
                    ended_at = heard = time.monotonic()
                    poll.unregister(fd)
                elif data := _read(out):
                    lines.feed(data)
                    heard = time.monotonic()
                else:
                    is_open = False
                    poll.unregister(fd)
        lines.end()
        return True
    finally:
        if end_of_process >= 0:
            os.close(end_of_process)
        process.stdout.close()


def _pidfd(process: "subprocess.Popen[bytes]") -> int:
    """-1 where it has ended, and somebody has taken its exit code already."""
    try:
        return os.pidfd_open(process.pid) if process.returncode is None else -1
    except ProcessLookupError:
        return -1


def _read(fd: int) -> bytes:
    """Empty at the end."""
    try:
        return os.read(fd, READ_BYTES)
    except OSError:
        return b""
