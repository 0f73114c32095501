"""Finds the one flipped bit that explains a bad record, by its CRC-32. Corrects nothing by itself.

Source: a CRC is linear, so one wrong bit leaves a syndrome that depends on its place alone; walking the syndrome
back byte by byte finds the place in O(length). Below 11 KiB two flipped bits never look like one.
"""

from zlib import crc32

from kortana.protocol.codec import FrameError, decode_record

_TAIL = len(b',"crc":"00000000"}')
_HEAD_END = b'"}'


def _step_tables() -> tuple[list[int], dict[int, int], dict[int, int]]:
    """The CRC's table, its inverse by the top byte, and the syndrome of each bit of a last byte."""
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return table, {value >> 24: index for index, value in enumerate(table)}, {table[1 << b]: b for b in range(8)}


_TABLE, _BY_TOP, _BITS = _step_tables()


def _is_record(line: bytes) -> bool:
    try:
        decode_record(line)
    except FrameError:
        return False
    return True


def _one_bit(a: int, b: int) -> bool:
    return (a ^ b).bit_count() == 1


def _in_head(head: bytes, stored: int) -> bytes | None:
    """The head with the bit corrected that would make its CRC the stored one."""
    syndrome = crc32(head) ^ stored
    for index in range(len(head) - 1, -1, -1):
        bit = _BITS.get(syndrome)
        if bit is not None:
            return head[:index] + bytes([head[index] ^ (1 << bit)]) + head[index + 1 :]
        low = _BY_TOP[syndrome >> 24]
        syndrome = ((syndrome ^ _TABLE[low]) << 8 | low) & 0xFFFFFFFF
    return None


def _in_line(line: bytes) -> bytes | None:
    """A record (without its line feed) with one bit corrected."""
    head, tail = line[:-_TAIL], line[-_TAIL:]
    due = b',"crc":"%08x"}' % crc32(head)
    if len(tail) == _TAIL and sum((a ^ b).bit_count() for a, b in zip(tail, due, strict=True)) == 1:
        return head + due
    try:
        stored = int(tail[8:16], 16)
    except ValueError:
        return None
    found = _in_head(head, stored) if tail == b',"crc":"%08x"}' % stored else None
    return None if found is None else found + tail


def unflip(line: bytes, following: bytes = b"") -> tuple[bytes, int] | None:
    """What stood in place of a bad line before one bit was flipped, and how many bytes of `line + following` it takes
    the place of; None where no single bit explains it.

    line: with its line feed, where it has one. following: the next line, likewise.
    """
    if line.endswith(b"\n"):
        mended = _in_line(line[:-1])
        if mended is not None and _is_record(mended):
            return mended + b"\n", len(line)
        joined = _without_false_end(line, following)
        if joined is not None:
            return joined, len(line) + len(following)
    return _with_lost_end(line)


def _without_false_end(line: bytes, following: bytes) -> bytes | None:
    """A byte of the record had become a line feed."""
    if not following.endswith(b"\n"):
        return None
    for bit in range(8):
        whole = line[:-1] + bytes([10 ^ (1 << bit)]) + following
        if _is_record(whole[:-1]):
            return whole
    return None


def _with_lost_end(line: bytes) -> tuple[bytes, int] | None:
    """The line feed after a record had become another byte."""
    at = line.find(_HEAD_END)
    while at >= 0:
        end = at + len(_HEAD_END)
        if end < len(line) and _one_bit(line[end], 10) and _is_record(line[:end]):
            return line[:end] + b"\n" + line[end + 1 :], len(line)
        at = line.find(_HEAD_END, at + 1)
    return None
