"""Strict NDJSON: what one line on the wire or in the journal may look like, both ways."""

import json
from typing import Any
from zlib import crc32

import msgspec

from kortana.protocol.event import PRIORITIES, Event, Record

MAX_FRAME_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_ID_LENGTH = 128
_INT_LIMIT = 1 << 63

_FIELDS = {
    "id": str, "timestamp": str, "source": str, "target": str, "event_type": str,
    "priority": str, "payload": dict, "requires_ack": bool,
}  # fmt: skip
_encoder = msgspec.json.Encoder()
encode_json = _encoder.encode
"""Compact JSON of structs, dicts and lists, as UTF-8 bytes."""
_decode_any = msgspec.json.Decoder().decode
_decode_typed = msgspec.json.Decoder(Event).decode


def as_event_id(text: str) -> str:
    """A text as an event's id. One that is too long ends with a digest of all of it: other texts have other ids."""
    if len(text) <= MAX_ID_LENGTH:
        return text
    import hashlib  # few are: an agent's calls must not wait for it

    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{text[: MAX_ID_LENGTH - len(digest) - 1]}-{digest}"


class FrameError(ValueError):
    """A frame that is not an event. The sender's fault; `event_id` is set where an answer can name it."""

    def __init__(self, detail: str, event_id: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.event_id = event_id


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise FrameError("duplicate keys in one object")
    return found


def _count_keys(value: Any, depth: int) -> int:
    """The number of keys in a decoded value. Raises FrameError past the depth or the integer range."""
    if depth > MAX_DEPTH:
        raise FrameError(f"nested deeper than {MAX_DEPTH}")
    kind = type(value)
    if kind is dict:
        count = len(value)
        for item in value.values():
            inner = type(item)
            if inner is dict or inner is list or inner is int:
                count += _count_keys(item, depth + 1)
        return count
    if kind is list:
        return sum([_count_keys(item, depth + 1) for item in value])
    if kind is int and not -_INT_LIMIT <= value < _INT_LIMIT:
        raise FrameError("an integer outside 64 bits")
    return 0


def decode_strict(raw: bytes) -> Any:
    """One JSON value: UTF-8, no NaN, no duplicate keys, no deep nesting, 64-bit integers. Raises FrameError.

    msgspec keeps the last of duplicate keys silently. Where no quote is escaped and none is followed by
    white space, every key is followed by a colon at once, so as many `":` as decoded keys means that there
    is no duplicate; every other text is read again by the standard library, pair by pair.
    """
    try:
        value = _decode_any(raw)
        keys = _count_keys(value, 1)
        plain = b"\\" not in raw and b'" ' not in raw and b'"\t' not in raw and b'"\r' not in raw and b'"\n' not in raw
        if not plain or raw.count(b'":') != keys:
            json.loads(raw, object_pairs_hook=_unique_pairs)
    except FrameError:
        raise
    except RecursionError:
        raise FrameError(f"nested deeper than {MAX_DEPTH}") from None
    except (ValueError, msgspec.MsgspecError) as error:
        raise FrameError(f"not strict JSON: {error}") from None
    return value


def decode_event(raw: bytes) -> Event:
    """The event in one line (without its line feed). Raises FrameError, with the event's id where it has one."""
    return read_frame(raw)[0]


def read_frame(raw: bytes) -> tuple[Event, bytes]:
    """The event in one line (without its line feed), and its canonical text. Raises FrameError, with the event's id
    where it has one.

    What encodes to the very same bytes again has no duplicate keys, no unknown fields and no odd spelling; whatever
    does not is read by the slower, exact way.
    """
    try:
        event = _decode_typed(raw)
        if encode_json(event) != raw or event.priority not in PRIORITIES or not 0 < len(event.id) <= MAX_ID_LENGTH:
            return _read_exactly(raw)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return _read_exactly(raw)
    for value in event.payload.values():
        kind = type(value)
        if kind is dict or kind is list or kind is int:
            _count_keys(event.payload, 2)
            break
    return event, raw


def _read_exactly(raw: bytes) -> tuple[Event, bytes]:
    fields = decode_strict(raw)
    if type(fields) is not dict:
        raise FrameError("not a JSON object")
    event_id = fields.get("id")
    if type(event_id) is not str or not 0 < len(event_id) <= MAX_ID_LENGTH:
        raise FrameError(f"id: a string of 1 to {MAX_ID_LENGTH} characters is needed")
    for name, kind in _FIELDS.items():
        if type(fields.get(name)) is not kind:
            raise FrameError(f"{name}: a {kind.__name__} is needed", event_id)
    task_id = fields.get("task_id", FrameError)
    if task_id is not None and type(task_id) is not str:
        raise FrameError("task_id: a string or null is needed", event_id)
    if fields["priority"] not in PRIORITIES:
        raise FrameError("priority: low, normal, high or urgent is needed", event_id)
    event = Event(
        event_id, fields["timestamp"], fields["source"], fields["target"], fields["event_type"],
        task_id, fields["priority"], fields["payload"], fields["requires_ack"],
    )  # fmt: skip
    return event, encode_json(event)


def event_digest(body: bytes) -> int:
    """What decides whether two events with one id are the same event: all of its canonical text but id, timestamp
    and source, which stand first. No string in JSON holds a bare quote, so the first `"target":` is the key."""
    return crc32(body[body.find(b',"target":') :])


def encode_record(record: Record) -> bytes:
    """A journal line: the event's text, then `seq`, `recorded_at`, and `crc` over all bytes before it."""
    return encode_records([record])[0]


def encode_records(records: list[Record]) -> list[bytes]:
    """Journal lines; records of one turn share their time."""
    lines, at, time_field = [], "", b""
    for record in records:
        if record.recorded_at is not at:
            at = record.recorded_at
            time_field = b',"recorded_at":"%b"' % at.encode()
        line = b'%b,"seq":%d%b' % (record.body[:-1], record.seq, time_field)
        lines.append(b'%b,"crc":"%08x"}\n' % (line, crc32(line)))
    return lines


class _Line(msgspec.Struct, frozen=True, gc=False):
    id: str
    timestamp: str
    source: str
    target: str
    event_type: str
    task_id: str | None
    priority: str
    payload: dict[str, Any]
    requires_ack: bool
    seq: int
    recorded_at: str
    crc: str


_decode_line = msgspec.json.Decoder(_Line).decode
_CRC_TAIL = len(b',"crc":"00000000"}')


def decode_record(line: bytes) -> Record:
    """The record in a journal line (without its line feed). Raises FrameError where the crc or form is wrong."""
    return decode_records([line])[0]


def decode_records(lines: list[bytes]) -> list[Record]:
    """As `decode_record`, for many."""
    records = []
    for line in lines:
        head = line[:-_CRC_TAIL]
        if not line.endswith(b',"crc":"%08x"}' % crc32(head)):
            raise FrameError("the crc does not match")
        try:
            fields = _decode_line(line)
        except (ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise FrameError(f"not a record: {error}") from None
        source = fields.source
        event = Event(
            fields.id, fields.timestamp, source, fields.target, fields.event_type,
            fields.task_id, fields.priority, fields.payload, fields.requires_ack,
        )  # fmt: skip
        body = head[: head.rindex(b',"seq":')] + b"}"
        digest = 0 if source == "coordinator" else event_digest(body)
        records.append(Record(event, fields.seq, fields.recorded_at, body, digest))
    return records
