"""Seeded mutations of real lines through every decoder: a value, or the decoder's own error, and nothing else."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.snapshots import CheckpointError, load_checkpoint
from kortana.core.evolve import evolve
from kortana.core.state import Limits, State
from kortana.processes.messages import decode_from_launcher, decode_to_launcher
from kortana.protocol.codec import FrameError, decode_event, decode_record, encode_json, encode_record
from tests.adapters.test_damage import snapshot, some_records

COUNT = 1_000_000 if os.environ.get("KORTANA_LONG") else 100_000
SEED = int(os.environ.get("KORTANA_SEED", "1"))
SPICE = [
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"\n", b"\0", b"\xff", b"\xed\xa0\x80", b"NaN", b"Infinity",
    b"-", b"1e999", b"9" * 25, b"[" * 40, b'{"a":' * 40, b'"id":', b'"id":"x",', b"\\ud800", b"null", b"true", b" ",
    b'"\\u0000"', "\N{SNOWMAN}".encode(),
]  # fmt: skip


def mutations(lines: list[bytes], draw: random.Random, count: int) -> list[bytes]:
    """Each a line with one to four cuts, doublings, flips, or a piece of spice or of another line put in."""
    found = []
    for _ in range(count):
        data = bytearray(draw.choice(lines))
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(data) + 1)
            match draw.randrange(5):
                case 0:
                    del data[at : at + draw.randint(1, 20)]
                case 1:
                    data[at:at] = draw.choice(SPICE)
                case 2:
                    other = draw.choice(lines)
                    start = draw.randrange(len(other))
                    data[at:at] = other[start : start + draw.randint(1, 40)]
                case 3 if at < len(data):
                    data[at] ^= 1 << draw.randrange(8)
                case _:
                    data[at : at + 1] = data[at : at + 1] * 2
        found.append(bytes(data))
    return found


def strictly(text: bytes) -> object:
    """What the standard library makes of it, read by the contract's rules; raises ValueError."""

    def pairs(items: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in items}) != len(items):
            raise ValueError("duplicate keys")
        return dict(items)

    def constant(name: str) -> None:
        raise ValueError(name)

    return json.loads(text.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)


RECORDS = some_records(60)
BODIES = [record.body for record in RECORDS]
LAUNCHER = [
    b'{"type":"Started","worker":"a","incarnation":1,"pid":7,"start_ticks":9}',
    b'{"type":"Exited","worker":"a","incarnation":1,"pid":7,"exit":{"code":0,"signal":null,"core_dumped":false,'
    b'"user_s":0.1,"system_s":0.1,"max_rss_bytes":1,"swept":0,"last_lines":[]}}',
    b'{"type":"Signal","worker":"a","incarnation":1,"number":15}',
]


@pytest.mark.parametrize(
    ("decode", "error", "lines"),
    [
        (decode_event, FrameError, BODIES),
        (decode_record, FrameError, [encode_record(record)[:-1] for record in RECORDS]),
        (decode_from_launcher, msgspec.MsgspecError, LAUNCHER),
        (decode_to_launcher, msgspec.MsgspecError, LAUNCHER),
    ],
    ids=["frame", "record", "from launcher", "to launcher"],
)  # fmt: skip
def test_a_mutated_line_gives_a_value_or_the_decoders_error(
    decode: Callable[[bytes], object], error: type[Exception], lines: list[bytes]
) -> None:
    draw = random.Random(SEED)
    accepted = 0
    for _ in range(0, COUNT, 1000):
        for data in mutations(lines, draw, 1000):
            try:
                decode(data)
                accepted += 1
            except error:
                pass
            except UnicodeDecodeError:
                assert error is not FrameError, data
            except BaseException as other:
                raise AssertionError(f"KORTANA_SEED={SEED}: {data!r} gave {other!r}") from other
    assert accepted < COUNT // 2 or decode is decode_event


def test_whatever_the_frame_decoder_accepts_is_strict_json_and_encodes_again() -> None:
    draw = random.Random(SEED + 1)
    for _ in range(0, COUNT // 4, 1000):
        for data in mutations(BODIES, draw, 1000):
            try:
                event = decode_event(data)
            except FrameError:
                continue
            assert isinstance(strictly(data), dict), data
            assert decode_event(encode_json(event)) == event, data


def test_a_mutated_checkpoint_is_never_taken(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path / "data")
    layout.create()
    state = State(Limits())
    for record in RECORDS:
        evolve(state, record, 0.0)
    snapshot(layout, state)
    whole = layout.checkpoint.read_bytes()
    draw = random.Random(SEED)
    for data in mutations([whole], draw, COUNT // 100):
        if data == whole:
            continue
        layout.checkpoint.write_bytes(data)
        with pytest.raises(CheckpointError):
            load_checkpoint(layout.checkpoint)
