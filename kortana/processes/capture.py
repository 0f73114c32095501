"""The output of one worker: lines with times into a rotated log, the last ones kept, a pattern watched for."""

import os
import re
import select
import time
from collections import deque
from collections.abc import Callable

from kortana.ports import OutputLine
from kortana.protocol.timestamps import iso_from_ms

READ_BYTES = 64 * 1024
MAX_LINE = 16 * 1024
"""A longer line is cut into several."""
KEPT_LINES = 100
KEPT_LINE_CHARS = 500
DRAIN_READS = 64
"""How much is still read, in reads, from the pipe of a worker that is gone: 4 MiB."""


class LogFile:
    """An append-only log that is put away as `name.1`, `name.2`, ... once it is longer than `rotate_bytes`."""

    def __init__(self, path: str, rotate_bytes: int, keep: int) -> None:
        self._path, self._rotate_bytes, self._keep = path, rotate_bytes, keep
        self._fd = -1
        self._size = 0

    def write(self, data: bytes) -> None:
        """Appends. A log that cannot be written loses lines, and never stops a worker."""
        try:
            if self._fd < 0:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(self._path, flags, 0o600)
                self._size = os.fstat(self._fd).st_size
            self._size += os.write(self._fd, data)
            if self._size > self._rotate_bytes:
                self._rotate()
        except OSError:
            self.close()

    def _rotate(self) -> None:
        self.close()
        if self._keep == 0:
            os.truncate(self._path, 0)
            return
        for number in range(self._keep - 1, 0, -1):
            if os.path.exists(f"{self._path}.{number}"):
                os.replace(f"{self._path}.{number}", f"{self._path}.{number + 1}")
        os.replace(self._path, f"{self._path}.1")

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Capture:
    """Both streams of one incarnation.

    log: where lines go. echo: shows a line to whoever watches `up`, or None. pattern: what makes it ready.
    """

    def __init__(self, log: LogFile, echo: Callable[[bytes], None] | None, pattern: str | None) -> None:
        self._log, self._echo = log, echo
        self._pattern = re.compile(pattern) if pattern else None
        self._partial: dict[int, bytes] = {}
        self.kept: deque[OutputLine] = deque(maxlen=KEPT_LINES)
        self.matched: str | None = None

    def read(self, fd: int, stream: bytes) -> bool:
        """Reads once from a non-blocking pipe. False where it has ended."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        if not data:
            self.end(fd, stream)
            return False
        lines = (self._partial.pop(fd, b"") + data).split(b"\n")
        rest = lines.pop()
        while len(rest) > MAX_LINE:
            lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        if rest:
            self._partial[fd] = rest
        if lines:
            self._take(lines, stream)
        return True

    def end(self, fd: int, stream: bytes) -> None:
        """The last line may lack its end."""
        rest = self._partial.pop(fd, b"")
        if rest:
            self._take([rest], stream)

    def drain(self, fd: int, stream: bytes) -> None:
        """Reads what is there, within bounds, from a pipe that another process may still hold open."""
        for _ in range(DRAIN_READS):
            before = len(self._partial.get(fd, b""))
            if not self.read(fd, stream):
                return
            if not self._has_more(fd) and len(self._partial.get(fd, b"")) == before:
                break
        self.end(fd, stream)

    def _has_more(self, fd: int) -> bool:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return any(mask & select.POLLIN for _, mask in poll.poll(0))

    def _take(self, lines: list[bytes], stream: bytes) -> None:
        at = iso_from_ms(time.time_ns() // 1_000_000)
        head = at.encode() + b" " + stream + b" "
        self._log.write(b"".join([head + line + b"\n" for line in lines]))
        for line in lines[-KEPT_LINES:]:
            self.kept.append(OutputLine(at, stream.decode(), line[:KEPT_LINE_CHARS].decode("utf-8", "replace")))
        if self._echo is not None:
            for line in lines:
                self._echo(line)
        if self._pattern is not None and self.matched is None:
            for line in lines:
                text = line.decode("utf-8", "replace")
                if self._pattern.search(text):
                    self.matched = text[:KEPT_LINE_CHARS]
                    break

    def stop_matching(self) -> None:
        """The pattern has been found and told; no more lines are searched."""
        self._pattern = self.matched = None
