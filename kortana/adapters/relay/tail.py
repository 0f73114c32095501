"""Reads a growing file by whole lines, from a position that survives restarts; notices rotation and truncation."""

import errno
import os
import stat
from pathlib import Path
from typing import IO

import msgspec

READ_BYTES = 1 << 20
MAX_LINE = 64 * 1024


class Position(msgspec.Struct):
    """How far a file has been dealt with."""

    inode: int = 0
    offset: int = 0


class Line(msgspec.Struct, frozen=True):
    """One whole line without its end, and where it stands."""

    offset: int
    data: bytes
    end: int


class TailedFile:
    """`position`: what a later run starts from. Nothing is lost or given twice within one run."""

    def __init__(self, path: Path, position: Position) -> None:
        self.path, self.position = path, position
        self._read_to = position.offset

    def read(self) -> list[Line]:
        """The whole lines since the last call, at most 1 MiB; a partial last line waits for its end. Raises OSError."""
        try:
            with _open_regular(self.path) as file:
                info = os.fstat(file.fileno())
                if info.st_ino != self.position.inode or info.st_size < self._read_to:
                    self.position = Position(info.st_ino, 0)
                    self._read_to = 0
                file.seek(self._read_to)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return []
        found, at = [], 0
        while (end := data.find(b"\n", at)) >= 0:
            found.append(Line(self._read_to + at, data[at:end].rstrip(b"\r"), self._read_to + end + 1))
            at = end + 1
        if not found and len(data) == READ_BYTES:
            found.append(Line(self._read_to, data[:MAX_LINE], self._read_to + READ_BYTES))
            at = READ_BYTES
        self._read_to += at
        return found

    @property
    def read_to(self) -> int:
        return self._read_to

    def done_to(self, offset: int) -> None:
        """Everything before this offset has been dealt with."""
        self.position.offset = offset


def _open_regular(path: Path) -> IO[bytes]:
    """Raises OSError; also for what would be waited for, or is no text at all: a pipe, a device, a folder."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(fd, "rb")


def append_lines(path: Path, lines: list[bytes]) -> None:
    """Appends whole lines in one write; a torn line that a crash has left is ended first. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(fd).st_size
        data = b"".join(line + b"\n" for line in lines)
        if size and os.lseek(fd, -1, os.SEEK_END) >= 0 and os.read(fd, 1) != b"\n":
            data = b"\n" + data
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)


def tail_of(path: Path, most: int) -> bytes:
    """The last bytes of a file; empty where there is none."""
    try:
        with _open_regular(path) as file:
            file.seek(max(file.seek(0, os.SEEK_END) - most, 0))
            return file.read()
    except OSError:
        return b""
