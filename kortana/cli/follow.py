"""Files as people read them: the last lines, from the end, and what is appended from then on."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_BLOCK = 64 * 1024


def last_lines(path: Path, count: int) -> tuple[list[bytes], int]:
    """The last whole lines of a file, and the offset after them. Reads from the end: O(what is returned)."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            data, position = b"", end
            while position > 0 and data.count(b"\n") <= count:
                step = min(_BLOCK, position)
                position -= step
                file.seek(position)
                data = file.read(step) + data
    except FileNotFoundError:
        return [], 0
    whole, _, rest = data.rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    if position > 0:
        lines = lines[1:]
    return (lines[-count:] if count else []), end - len(rest)


def last_lines_of_log(path: Path, count: int) -> tuple[list[bytes], int]:
    """The same of a log that is put away as `name.1`, `name.2`, ...: where it has too few, those have the rest."""
    lines, offset = last_lines(path, count)
    for number in itertools.count(1):
        older = path.with_name(f"{path.name}.{number}")
        if len(lines) >= count or not older.exists():
            return lines, offset
        lines = last_lines(older, count - len(lines))[0] + lines
    raise AssertionError  # never


class Tail:
    """What is appended to a file, line by line; notices that it was rotated away or cut."""

    def __init__(self, path: Path, offset: int) -> None:
        self._path, self._offset = path, offset
        self._file = self._open()

    def _open(self) -> IO[bytes] | None:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return None
        file.seek(self._offset)
        return file

    def lines(self) -> Iterator[bytes]:
        """The whole lines since the last call."""
        while True:
            if self._file is None:
                self._offset = 0
                self._file = self._open()
                if self._file is None:
                    return
            for line in self._file:
                if not line.endswith(b"\n"):
                    self._file.seek(-len(line), os.SEEK_CUR)
                    break
                yield line[:-1]
            if not self._is_replaced():
                return
            self._file.close()
            self._file = None

    def _is_replaced(self) -> bool:
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            return False
        assert self._file is not None
        ours = os.fstat(self._file.fileno())
        return now.st_ino != ours.st_ino or now.st_size < self._file.tell()
