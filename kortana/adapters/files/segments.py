"""Reading the journal's files: whole records in order, from any seq, with damage told by file and offset."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from kortana.adapters.files.bitflip import unflip
from kortana.protocol.codec import FrameError, decode_record, decode_records
from kortana.protocol.event import Record

_CHUNK = 1 << 16
_SEGMENT = re.compile(r"coordination_events\.(\d{6,})\.jsonl")
_SEQ_MARK = b',"seq":'
MAX_LINE = 256 * 1024
"""A record is at most a frame, an answer with a task in it, and what the journal adds."""


class JournalDamageError(Exception):
    """A journal that cannot be trusted. Carries `path` and `offset` (bytes)."""

    def __init__(self, path: Path, offset: int, what: str) -> None:
        super().__init__(f"{path.name}, offset {offset}: {what}")
        self.path = path
        self.offset = offset
        self.what = what


class TornTail(Exception):
    """A last record that was not wholly written: everything before `offset` is whole."""

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(f"{path.name}: torn at offset {offset}")
        self.path = path
        self.offset = offset


def segment_paths(current: Path) -> list[Path]:
    """The journal's files, oldest first; the current one last, where it exists."""
    rotated = [p for p in current.parent.glob("coordination_events.*.jsonl") if _SEGMENT.fullmatch(p.name)]
    rotated.sort(key=lambda path: int(_number(path)))
    return rotated + ([current] if current.exists() else [])


def _number(path: Path) -> str:
    found = _SEGMENT.fullmatch(path.name)
    assert found is not None
    return found[1]


def next_segment_name(current: Path) -> Path:
    """The name under which the current file is put away next."""
    rotated = [p for p in segment_paths(current) if p != current]
    return current.with_name(f"coordination_events.{int(_number(rotated[-1])) + 1 if rotated else 1:06d}.jsonl")


def seq_of(line: bytes) -> int | None:
    """The seq of a journal line, by its place alone; None where it has none."""
    start = line.rfind(_SEQ_MARK)
    if start < 0:
        return None
    digits = line[start + len(_SEQ_MARK) : start + len(_SEQ_MARK) + 20].split(b",")[0]
    return int(digits) if digits.isdigit() else None


def _seq_at(path: Path, offset: int, line: bytes) -> int | None:
    """The seq of a line. One that is damaged is taken at its word only where a whole record follows: what a crash has
    torn may say anything, such as the first digits of its seq."""
    found = seq_of(line)
    if found is None:
        return None
    try:
        decode_record(line.removesuffix(b"\n"))
    except FrameError:
        return found if _valid_after(path, offset + len(line)) else None
    return found


def first_seq(path: Path) -> int | None:
    """The seq of a file's first record; None where there is none, or a torn one."""
    with path.open("rb") as file:
        line = file.readline(MAX_LINE)
    return _seq_at(path, 0, line)


def offset_after(path: Path, seq: int) -> int:
    """Where the first record with a higher seq begins: a binary search by bytes, O(log size)."""
    with path.open("rb") as file:
        low, high = 0, path.stat().st_size
        while low < high:
            middle = (low + high) // 2
            if middle:
                file.seek(middle - 1)
                file.readline(MAX_LINE)
            else:
                file.seek(0)
            start = file.tell()
            line = file.readline(MAX_LINE)
            found = None if start >= high else _seq_at(path, start, line)
            if found is None:
                high = middle
            elif found <= seq:
                low = start + len(line)
            else:
                high = middle
        return low


def read_records(current: Path, after: int = 0, trusted_bytes: int | None = None) -> Iterator[Record]:
    """The records with a higher seq, in order and without a gap; none may be missing after `after`.

    trusted_bytes: where the current file ends for a reader that knows that its rest was never synced.
    Raises TornTail after the last whole record where the current file ends in a torn one, and
    JournalDamageError for everything else that is wrong.
    """
    paths = segment_paths(current)
    starts = [first_seq(path) for path in paths]
    begin = 0
    for index, seq in enumerate(starts):
        if seq is not None and seq <= after + 1:
            begin = index
    expected = after + 1
    if paths and (starts[0] or 0) > expected:
        what = f"begins at seq {starts[0]}: the records before it were pruned, and no checkpoint stands for them"
        raise JournalDamageError(paths[0], 0, what)
    for index in range(begin, len(paths)):
        path = paths[index]
        offset = offset_after(path, after) if after and index == begin else 0
        end = next((seq for seq in starts[index + 1 :] if seq is not None), None)
        last = path == current or all(seq is None for seq in starts[index + 1 :])
        most = trusted_bytes if path == current else None
        for record in _read_file(path, offset, expected, end, last, most):
            expected = record.seq + 1
            yield record


def _read_file(
    path: Path, offset: int, expected: int, end: int | None, last: bool, most: int | None
) -> Iterator[Record]:
    """The records of one file before seq `end`, where the next file begins: what a failed sync left there is void."""
    for lines, are_whole in _chunks_of(path, offset):
        records = _decode_all(lines, expected, end) if are_whole and most is None else None
        if records is not None:
            expected += len(records)
            offset += sum(map(len, lines)) + len(lines)
            yield from records
            continue
        for line in lines:
            if expected == end or (most is not None and offset >= most):
                return
            try:
                if not are_whole:
                    raise FrameError("no end of line")
                record = decode_record(line)
            except FrameError as error:
                text = line + b"\n" if are_whole else line
                raise _judge(path, offset, text, error.detail, last) from None
            if record.seq != expected:
                raise JournalDamageError(path, offset, f"seq {record.seq} where {expected} is due")
            expected += 1
            offset += len(line) + 1
            yield record


def _decode_all(lines: list[bytes], expected: int, end: int | None) -> list[Record] | None:
    """The records in so many lines; None where something is wrong with one, or `end` comes among them: then they are to
    be looked at one by one."""
    if end is not None and expected + len(lines) > end:
        return None
    try:
        records = decode_records(lines)
    except FrameError:
        return None
    due = range(expected, expected + len(records))
    return records if all(record.seq == seq for record, seq in zip(records, due, strict=True)) else None


def _judge(path: Path, offset: int, line: bytes, what: str, last: bool) -> Exception:
    """What a bad line is: one flipped bit is damage even at the very end, where it may have been acknowledged."""
    following = next((text for _, text in lines_of(path, offset + len(line))), b"")
    if unflip(line, following) is not None:
        return JournalDamageError(path, offset, f"one bit of this record has flipped ({what})")
    if last and not _valid_after(path, offset + len(line)):
        return TornTail(path, offset)
    return JournalDamageError(path, offset, what)


def first_available(current: Path) -> int:
    """The seq of the oldest record that has not been pruned; 1 for an empty journal."""
    return next((seq for path in segment_paths(current) if (seq := first_seq(path)) is not None), 1)


def prune(current: Path, keep: int, covered_seq: int) -> list[Path]:
    """Removes rotated files but for the newest `keep`, as far as a durable checkpoint at `covered_seq` covers them.

    Gives what was removed. Raises OSError.
    """
    paths = segment_paths(current)
    removed = []
    for path, after in list(pairwise(paths))[: max(len(paths) - 1 - keep, 0)]:
        begins = first_seq(after)
        if begins is None or begins > covered_seq + 1:
            break
        path.unlink()
        removed.append(path)
    return removed


def lines_of(path: Path, offset: int = 0, holding: tuple[bytes, ...] = ()) -> Iterator[tuple[int, bytes]]:
    """(offset, line with its line feed) from an offset on; the last may lack the line feed.

    holding: only lines with all of these texts. A block of lines without one of them is not even taken apart.
    """
    for block, is_whole in _blocks_of(path, offset):
        if all(text in block for text in holding):
            at = offset
            for line in (block[:-1] if is_whole else block).split(b"\n"):
                if all(text in line for text in holding):
                    yield at, line + b"\n" if is_whole else line
                at += len(line) + 1
        offset += len(block)


def _chunks_of(path: Path, offset: int) -> Iterator[tuple[list[bytes], bool]]:
    """Lines without their line feeds, and whether they had any: the last line of the file may lack it."""
    for block, is_whole in _blocks_of(path, offset):
        yield (block[:-1] if is_whole else block).split(b"\n"), is_whole


def _blocks_of(path: Path, offset: int) -> Iterator[tuple[bytes, bool]]:
    """Some 64 KiB of whole lines at a time; at the end what lacks a line feed, and False."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = b""
        while chunk := file.read(_CHUNK):
            rest += chunk
            end = rest.rfind(b"\n") + 1
            if end:
                yield rest[:end], True
                rest = rest[end:]
            if len(rest) > MAX_LINE:
                break
        if rest:
            yield rest, False


def _valid_after(path: Path, offset: int) -> bool:
    for _, line in lines_of(path, offset):
        try:
            decode_record(line.rstrip(b"\n"))
        except FrameError:
            continue
        return True
    return False
