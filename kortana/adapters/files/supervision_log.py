"""The supervision log: one lifecycle event a line, bounded by rotation, and never in the way of a restart."""

import os
import threading
import time
from pathlib import Path
from typing import Any

from kortana.adapters.files.layout import PRIVATE_FILE
from kortana.protocol.codec import encode_json
from kortana.protocol.timestamps import iso_from_ms

ROTATE_BYTES = 16 << 20
KEEP = 3


class SupervisionLog:
    """Appends to supervision.jsonl. Any thread. What cannot be written is counted, not raised."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._fd = -1
        self.lost = 0

    def write(self, event: str, **fields: Any) -> None:
        """One line: `at` (wall), `monotonic_s`, `event`, and the fields."""
        line = encode_json(
            {
                "at": iso_from_ms(time.time_ns() // 1_000_000),
                "monotonic_s": round(time.monotonic(), 6),
                "event": event,
                **fields,
            }
        )
        with self._lock:
            try:
                self._append(line + b"\n")
            except OSError:
                self.lost += 1

    def _end_of_torn_line(self) -> bytes:
        """A line feed where a crash has left half a line."""
        size = os.fstat(self._fd).st_size
        if size == 0:
            return b""
        with self._path.open("rb") as file:
            file.seek(size - 1)
            return b"" if file.read(1) == b"\n" else b"\n"

    def _append(self, line: bytes) -> None:
        if self._fd < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._fd = os.open(self._path, flags, PRIVATE_FILE)
            line = self._end_of_torn_line() + line
        written = os.write(self._fd, line)
        if written < len(line):
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError("no room for a whole line")
        if os.lseek(self._fd, 0, os.SEEK_CUR) > ROTATE_BYTES:
            os.close(self._fd)
            self._fd = -1
            for number in range(KEEP - 1, 0, -1):
                old = self._path.with_name(f"{self._path.name}.{number}")
                if old.exists():
                    os.replace(old, self._path.with_name(f"{self._path.name}.{number + 1}"))
            os.replace(self._path, self._path.with_name(f"{self._path.name}.1"))
