"""The strict codec: what is let in, what is not, and that encoding and decoding agree."""

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kortana.protocol.codec import (
    FrameError,
    as_event_id,
    decode_event,
    decode_record,
    decode_strict,
    encode_json,
    encode_record,
)
from kortana.protocol.event import Event, Record
from kortana.protocol.timestamps import iso_from_ms, ms_from_iso

EVENT = Event("e1", "2026-01-01T00:00:00.000Z", "a", "coordinator", "INFO", None, "normal", {"n": 1}, True)
EXAMPLES = 20_000 if os.environ.get("KORTANA_LONG") else 200

numbers = st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.text() | numbers,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.text(), json_values, max_size=4), st.booleans(), st.booleans())
@settings(max_examples=EXAMPLES)
def test_whatever_json_can_say_comes_through(payload: dict[str, object], ascii_only: bool, spaced: bool) -> None:
    fields = {**json.loads(encode_json(EVENT)), "payload": payload}
    separators = (" , ", " : ") if spaced else (",", ":")
    raw = json.dumps(fields, ensure_ascii=ascii_only, separators=separators).encode("utf-8", "surrogatepass")
    assert decode_event(raw).payload == payload


@given(st.binary(max_size=200))
@settings(max_examples=EXAMPLES)
def test_any_bytes_are_a_value_that_json_gives_too_or_a_frame_error(raw: bytes) -> None:
    try:
        value = decode_strict(raw)
    except FrameError as error:
        assert error.detail
    else:
        assert value == json.loads(raw)


@given(st.data())
@settings(max_examples=EXAMPLES)
def test_a_damaged_event_is_an_event_or_a_frame_error(data: st.DataObject) -> None:
    raw = bytearray(encode_json(EVENT))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode_event(bytes(raw))
    except FrameError as error:
        assert error.detail
    else:
        assert isinstance(found, Event)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}', '{"a" :1,"a":2}', '{"x":{"a":1,"b":2,"a":3}}', '{"a":1,"\\u0061":2}',
        '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":1e999}', '{"a":9223372036854775808}',
        '{"a":-9223372036854775809}', '{"a":1,}', "{'a':1}", '{"a":1} {"b":2}', "", "\ufeff{}", '{"a":"\\ud800"}',
        '{"a":"\t"}', "[" * 33 + "]" * 33, '{"a":' * 33 + "1" + "}" * 33, "[" * 100_000, '{"a":01}', '{"a":.5}',
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(FrameError):
        decode_strict(text.encode("utf-8", "surrogatepass"))


def test_a_lone_surrogate_in_utf8_is_refused() -> None:
    with pytest.raises(FrameError):
        decode_strict(b'{"a":"\xed\xa0\x80"}')


@pytest.mark.parametrize("missing", EVENT.__struct_fields__)
def test_every_field_is_needed(missing: str) -> None:
    fields = json.loads(encode_json(EVENT))
    del fields[missing]
    with pytest.raises(FrameError, match=missing):
        decode_event(json.dumps(fields).encode())


def record(seq: int = 7) -> Record:
    body = encode_json(EVENT)
    return decode_record(encode_record(Record(EVENT, seq, "2026-01-01T00:00:00.000Z", body, 0))[:-1])


def test_a_record_reads_back_as_it_was_written() -> None:
    found = record()
    assert (found.event, found.seq, found.recorded_at) == (EVENT, 7, "2026-01-01T00:00:00.000Z")
    assert encode_record(found) == encode_record(record())


def test_any_flipped_bit_of_a_record_is_noticed() -> None:
    line = encode_record(record())[:-1]
    for position in range(len(line) * 8):
        damaged = bytearray(line)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(FrameError):
            decode_record(bytes(damaged))


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_texts_are_different_ids_however_long(first: str, second: str) -> None:
    ids = {as_event_id("x" * 120 + text) for text in (first, second)}
    assert len(ids) == len({first, second}) and all(0 < len(event_id) <= 128 for event_id in ids)
    assert as_event_id("x" * 128) == "x" * 128


@given(st.integers(ms_from_iso("0001-01-01T00:00:00.000Z"), ms_from_iso("9999-12-31T23:59:59.999Z")))
def test_timestamps_go_there_and_back(ms: int) -> None:
    assert ms_from_iso(iso_from_ms(ms)) == ms


def test_timestamps_agree_with_the_calendar() -> None:
    from datetime import UTC, datetime

    for text in ("1970-01-01T00:00:00.000Z", "2000-02-29T23:59:59.999Z", "2026-11-23T02:43:01.250Z"):
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
        assert ms_from_iso(text) == round(moment.timestamp() * 1000)
