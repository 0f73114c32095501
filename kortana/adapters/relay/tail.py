"""Reads a growing file by whole lines, from a position that survives restarts; notices rotation and truncation."""

import errno
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

READ_BYTES = 1 << 20
MAX_LINE = 64 * 1024
HEAD_BYTES = 256
MAX_COMING = 1000
_PACKED = (".gz", ".bz2", ".xz", ".zst")


class Position(msgspec.Struct):
    """How far a file has been dealt with. generation: how often another file, or other content, has come in its place.
    head: a digest of the first `head_bytes` of what was dealt with, by which that is noticed. coming: the inodes of
    files that have stood in its place since, in order."""

    inode: int = 0
    offset: int = 0
    generation: int = 0
    head_bytes: int = 0
    head: str = ""
    coming: list[int] = []


class Line(msgspec.Struct, frozen=True):
    """One whole line without its end, and where it stands."""

    offset: int
    data: bytes
    end: int


class TailedFile:
    """`position`: what a later run starts from. Nothing is lost or given twice within one run.

    What was renamed is looked for beside the file, and read to its end before the next one is begun. What was deleted,
    or copied away and truncated, is lost as far as it had not been read; and so are files that came and went without a
    `notice`, but for those that did while nothing ran: what is named like it, and was written after it.
    """

    def __init__(self, path: Path, position: Position) -> None:
        self.path, self.position = path, position
        self._read_to = position.offset
        self._coming = list(position.coming)
        self._begun: deque[int] = deque(maxlen=MAX_COMING)
        """The inodes of what was begun in this run."""
        self._first: bytes | None = None
        """How the file begins, as far as was read and a little beyond; None where only the position knows."""
        self.waits = False
        """There is another file, which is not begun yet."""
        self._is_resumed = bool(position.inode)
        """By a later run, which does not know what has happened meanwhile."""

    def notice(self, place: Path | None = None) -> None:
        """Another file may stand in its place; or stood there, and is at another place now. Any thread; one at a time.
        """
        try:
            inode = (place or self.path).stat().st_ino
        except OSError:
            return
        known = inode in self._coming or inode == self.position.inode or (place is not None and inode in self._begun)
        if not known and len(self._coming) < MAX_COMING:
            self._coming.append(inode)

    def read(self, may_leave: Callable[[], bool] = lambda: True) -> list[Line]:
        """The whole lines since the last call, at most 1 MiB; a partial last line waits for its end. Raises OSError.

        may_leave: whether another file, or other content, may be begun: of the former nothing is to be done any more.
        """
        self.waits = False
        try:
            file = _open_regular(self.path)
        except FileNotFoundError:
            return self._rest(is_left=False)
        with file:
            while not self._is_same(file):
                if lines := self._rest(is_left=True):
                    return lines
                if not may_leave():
                    self.waits = True
                    return []
                self._begin_next(file)
            self._is_resumed = False
            return self._lines(file)

    def _begin_next(self, there: IO[bytes]) -> None:
        """there: the file that has its name now."""
        inode = last = os.fstat(there.fileno()).st_ino
        if self._is_resumed:
            self._coming = list(dict.fromkeys([*self._since(there), *self._coming]))[:MAX_COMING]
            self._is_resumed = False
        while self._coming and inode == last:
            other = self._coming.pop(0)
            if other != self.position.inode and self._renamed(other):
                inode = other
        generation = self.position.generation + bool(self.position.inode)
        self.position = Position(inode, 0, generation)
        self._begun.append(inode)
        self._read_to, self._first = 0, b""

    def has_read(self, place: Position) -> bool:
        """Whether it has come to this place in this file. Never to one that is none."""
        return bool(place.inode) and self.position.inode == place.inode and self._read_to >= place.offset

    def is_now(self, path: Path) -> Position | None:
        """The end of the file at another place, where that is what was read so far. Raises OSError."""
        with _open_regular(path) as file:
            if not self.position.inode or not self._is_same(file):
                return None
            return Position(self.position.inode, os.fstat(file.fileno()).st_size)

    def _is_same(self, file: IO[bytes]) -> bool:
        """Whether it is what was read so far, or begins like it."""
        info = os.fstat(file.fileno())
        if info.st_ino != self.position.inode or info.st_size < self._read_to:
            return False
        file.seek(0)
        first = file.read(HEAD_BYTES)
        if self._first is None:
            is_same = _digest(first[: self.position.head_bytes]) == self.position.head
        else:
            is_same = first.startswith(self._first[: self._read_to])
        if is_same:
            self._first = first
        return is_same

    def _rest(self, is_left: bool) -> list[Line]:
        """What has not been read of a file that was renamed. is_left: a last line without an end is whole, too."""
        for entry in self._renamed(self.position.inode):
            with _open_regular(Path(entry.path)) as file:
                if self._is_same(file):
                    return self._lines(file, is_left)
        return []

    def _renamed(self, inode: int) -> "list[os.DirEntry[str]]":
        if not inode:
            return []
        with os.scandir(self.path.parent) as entries:
            return [entry for entry in entries if entry.inode() == inode and entry.name != self.path.name]

    def _since(self, there: IO[bytes]) -> list[int]:
        """Files of its kind that were written after the one that was read, in order. A copy of that one, or of the one
        that is there, is none."""
        found = self._renamed(self.position.inode)
        if not found:
            return []
        read = found[0]
        there.seek(0)
        heads = [_head_of(Path(read.path)), there.read(HEAD_BYTES)]
        with os.scandir(self.path.parent) as entries:
            kin = [
                (entry.stat().st_mtime_ns, entry.inode(), Path(entry.path))
                for entry in entries
                if entry.name.startswith(self.path.name) and not entry.name.endswith(_PACKED) and entry.is_file()
                if entry.name not in (self.path.name, read.name)
            ]
        since = read.stat().st_mtime_ns
        return [inode for written, inode, path in sorted(kin) if written >= since and _head_of(path) not in heads]

    def _lines(self, file: IO[bytes], with_last: bool = False) -> list[Line]:
        file.seek(self._read_to)
        data = file.read(READ_BYTES)
        found, at = [], 0
        while (end := data.find(b"\n", at)) >= 0:
            found.append(Line(self._read_to + at, data[at:end].rstrip(b"\r"), self._read_to + end + 1))
            at = end + 1
        if not found and (len(data) == READ_BYTES or (with_last and data)):
            found.append(Line(self._read_to, data[:MAX_LINE], self._read_to + len(data)))
            at = len(data)
        self._read_to += at
        return found

    @property
    def read_to(self) -> int:
        return self._read_to

    def done_to(self, offset: int) -> None:
        """Everything before this offset has been dealt with."""
        now = self.position
        if self._first is None:  # nothing was read
            self.position = msgspec.structs.replace(now, coming=list(self._coming))
        else:
            head = self._first[:offset]
            self.position = Position(now.inode, offset, now.generation, len(head), _digest(head), list(self._coming))


def _head_of(path: Path) -> bytes:
    with _open_regular(path) as file:
        return file.read(HEAD_BYTES)


def _digest(head: bytes) -> str:
    return hashlib.blake2b(head, digest_size=8).hexdigest() if head else ""


def _open_regular(path: Path) -> IO[bytes]:
    """Raises OSError; also for what would be waited for, or is no text at all: a pipe, a device, a folder."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(fd, "rb")


def end_of(path: Path) -> Position:
    """Where a file ends now; nowhere where there is none."""
    try:
        info = path.stat()
    except OSError:
        return Position()
    return Position(info.st_ino, info.st_size)


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
