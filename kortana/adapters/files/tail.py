"""The journal's last records, in memory: what a crash record shows of an agent is found without reading files."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kortana.adapters.files.segments import lines_of, segment_paths, seq_of
from kortana.protocol.codec import FrameError, decode_record
from kortana.protocol.event import Record

TAIL_BYTES = 256 * 1024


class JournalTail:
    """What was committed last, TAIL_BYTES of it; before that much was committed, the rest from the files.

    One thread adds; any may ask.
    """

    def __init__(self, current: Path) -> None:
        self._current = current
        self._chunks: deque[bytes] = deque()
        """Commits, oldest first; whole lines."""
        self._bytes = 0
        self._older: list[bytes] | None = None
        """Lines of the files before the oldest chunk; None: not read yet."""

    def add(self, data: bytes) -> None:
        """Takes in what has been committed."""
        self._chunks.append(data)
        self._bytes += len(data)
        while self._bytes - len(self._chunks[0]) >= TAIL_BYTES:
            self._bytes -= len(self._chunks.popleft())
            self._older = []

    def events_of(self, agent: str, most: int) -> list[dict[str, Any]]:
        """The last events to and from an agent, oldest first, as short values."""
        mark = f'"{agent}"'.encode()
        found: list[dict[str, Any]] = []
        for line in self._newest_first():
            record = _decoded(line) if mark in line else None
            if record is not None and agent in _parties(record):
                found.append(_short(record))
                if len(found) == most:
                    break
        return found[::-1]

    def _newest_first(self) -> Iterator[bytes]:
        chunks = list(self._chunks)
        for chunk in reversed(chunks):
            yield from reversed(chunk.splitlines())
        if self._older is None:
            self._older = self._read_before(seq_of(chunks[0].split(b"\n", 1)[0]) if chunks else None)
        yield from reversed(self._older)

    def _read_before(self, seq: int | None) -> list[bytes]:
        """The files' last lines before a seq; none where they cannot be read."""
        found: list[bytes] = []
        size = 0
        for path in reversed(segment_paths(self._current)):
            try:
                begin = max(path.stat().st_size - (TAIL_BYTES - size), 0)
                lines = [line for _, line in lines_of(path, begin)]
            except OSError:
                break
            if seq is not None:
                lines = [line for line in lines if (seq_of(line) or seq) < seq]
            found = lines + found
            size += sum(map(len, lines))
            if size >= TAIL_BYTES or begin:
                break
        return found


def _decoded(line: bytes) -> Record | None:
    try:
        return decode_record(line.rstrip(b"\n"))
    except FrameError:
        return None


def _parties(record: Record) -> tuple[Any, ...]:
    event = record.event
    return event.source, event.target, event.payload.get("agent")


def _short(record: Record) -> dict[str, Any]:
    event = record.event
    return {
        "seq": record.seq, "recorded_at": record.recorded_at, "source": event.source, "target": event.target,
        "event_type": event.event_type, "task_id": event.task_id, "payload": event.payload,
    }  # fmt: skip
