"""Any single flipped bit is recovered exactly or refused; fsck explains, and its repair deletes nothing."""

import os
from pathlib import Path

import pytest

from kortana.adapters.files.bitflip import unflip
from kortana.adapters.files.fsck import examine, repair
from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.recovery import recover
from kortana.adapters.files.segments import JournalDamageError, TornTail, offset_after, segment_paths
from kortana.adapters.files.snapshots import FileSnapshots
from kortana.core.checkpoint import canonical, rest_of
from kortana.core.state import Limits, State
from kortana.core.views import agents_view
from kortana.ports import Snapshot
from kortana.protocol.codec import encode_json, encode_record
from kortana.protocol.event import Record
from tests.core.harness import Core

EVERY = 1 if os.environ.get("KORTANA_LONG") else 61
"""Every so many bits of the journal are flipped in turn; every one in the long run."""


def some_records(count: int = 50) -> list[Record]:
    core = Core()
    core.up("a", "b")
    number = 0
    while len(core.records) < count:
        number += 1
        core.claim("ab"[number % 2], f"t{number}")
        core.say("ab"[number % 2], "TASK_UPDATE", f"t{number}", status="completed")
    return core.records[:count]


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    made = DataLayout(tmp_path / "data")
    made.create()
    return made


def write(layout: DataLayout, records: list[Record]) -> bytes:
    layout.journal.write_bytes(b"".join(encode_record(record) for record in records))
    return layout.journal.read_bytes()


def snapshot(layout: DataLayout, state: State) -> None:
    state.pages.begin()
    state.pages.step(1 << 30)
    rest = encode_json(rest_of(state))
    FileSnapshots(layout).write(
        Snapshot(state.seq, state.recorded_at, state.pages.texts(), agents_view(state), rest)
    )


def test_every_flipped_bit_is_refused_and_repaired_exactly(layout: DataLayout) -> None:
    data = write(layout, some_records())
    state = canonical(recover(layout, FileJournal(layout.journal), Limits()).state)
    for bit in range(0, len(data) * 8, EVERY):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << (bit % 8)
        layout.journal.write_bytes(flipped)
        with pytest.raises(JournalDamageError) as caught:
            recover(layout, FileJournal(layout.journal), Limits())
        assert caught.value.offset <= bit // 8
        if bit % (EVERY * 40) == 0:
            repair(layout, Limits())
            assert layout.journal.read_bytes() == data
            assert canonical(recover(layout, FileJournal(layout.journal), Limits()).state) == state
            kept = [path for path in layout.root.glob("*.flipped-*") if path.read_bytes() == bytes(flipped)]
            assert kept, "the file as it was is kept"
            for path in layout.root.glob("*.flipped-*"):
                path.unlink()


def test_every_flipped_bit_of_one_record_is_found_by_its_syndrome() -> None:
    lines = [encode_record(record) for record in some_records(8)]
    for index in range(len(lines[5]) * 8):
        bad = bytearray(lines[5])
        bad[index // 8] ^= 1 << (index % 8)
        window = bytes(bad) + lines[6]
        first, rest = window.split(b"\n", 1)
        found = unflip(first + b"\n", rest.split(b"\n")[0] + b"\n" if rest else b"")
        assert found is not None
        assert found[0] + window[found[1] :] == lines[5] + lines[6]


def test_two_flipped_bits_are_not_taken_for_one() -> None:
    line = encode_record(some_records(4)[3])
    for second in range(9, len(line) * 8 - 8, 7):
        bad = bytearray(line)
        bad[0] ^= 1
        bad[second // 8] ^= 1 << (second % 8)
        assert unflip(bytes(bad)) is None or b"\n" in bytes(bad)[:-1]


def test_a_flipped_bit_of_a_checkpoint_is_recovered_from_the_journal(layout: DataLayout) -> None:
    write(layout, some_records())
    state = recover(layout, FileJournal(layout.journal), Limits()).state
    snapshot(layout, state)
    data = layout.checkpoint.read_bytes()
    for bit in range(0, len(data) * 8, EVERY * 40):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << (bit % 8)
        layout.checkpoint.write_bytes(flipped)
        assert canonical(recover(layout, FileJournal(layout.journal), Limits()).state) == canonical(state)


def test_damage_beyond_one_bit_is_cut_and_kept(layout: DataLayout) -> None:
    records = some_records()
    data = write(layout, records)
    start = offset_after(layout.journal, 20)
    broken = data[:start] + b"x" * 40 + data[start + 40 :]
    layout.journal.write_bytes(broken)
    found = [f for f in examine(layout, Limits()) if f.level == "damage"]
    assert [(f.file, f.offset) for f in found] == [("coordination_events.jsonl", start)]
    assert "fsck --repair" in found[0].remedy
    repair(layout, Limits())
    assert recover(layout, FileJournal(layout.journal), Limits()).state.seq == 20
    assert any(path.read_bytes() == broken for path in layout.root.glob("*.damaged-*"))
    assert not [f for f in examine(layout, Limits()) if f.level == "damage"]


def test_a_checkpoint_beyond_the_damage_saves_everything(layout: DataLayout) -> None:
    records = some_records()
    write(layout, records[:40])
    snapshot(layout, recover(layout, FileJournal(layout.journal), Limits()).state)
    data = write(layout, records)
    whole = canonical(recover(layout, FileJournal(layout.journal), Limits()).state)
    start = offset_after(layout.journal, 20)
    layout.journal.write_bytes(data[:start] + b"x" * 40 + data[start + 40 :])
    repair(layout, Limits())
    assert canonical(recover(layout, FileJournal(layout.journal), Limits()).state) == whole
    assert segment_paths(layout.journal)


@pytest.mark.parametrize("what", ["gap", "ahead", "graph ahead", "torn"])
def test_fsck_explains_and_repairs_whatever_up_refuses(layout: DataLayout, what: str) -> None:
    records = some_records()
    write(layout, records)
    state = recover(layout, FileJournal(layout.journal), Limits()).state
    if what in ("ahead", "graph ahead"):
        snapshot(layout, state)
        write(layout, records[:30])
        if what == "graph ahead":
            layout.checkpoint.unlink()
    elif what == "gap":
        write(layout, records[:30] + records[31:])
    else:
        layout.journal.write_bytes(layout.journal.read_bytes()[:-9])
    if what == "torn":
        with pytest.raises(TornTail):
            list(FileJournal(layout.journal).read())
    else:
        with pytest.raises(JournalDamageError):
            recover(layout, FileJournal(layout.journal), Limits(), with_edits=True)
        assert any(finding.level == "damage" for finding in examine(layout, Limits()))
    before = sum(path.stat().st_size for path in layout.root.iterdir() if path.is_file())
    assert repair(layout, Limits())
    assert not any(finding.level == "damage" for finding in examine(layout, Limits()))
    assert sum(path.stat().st_size for path in layout.root.iterdir() if path.is_file()) >= before
    recover(layout, FileJournal(layout.journal), Limits(), with_edits=True)


@pytest.mark.parametrize("what", ["gap", "ahead", "torn"])
def test_what_was_saved_aside_once_is_still_there_when_the_same_comes_again(layout: DataLayout, what: str) -> None:
    records = some_records()
    saved: list[bytes] = []
    for _ in range(3):
        for path in (layout.checkpoint, layout.task_graph):
            path.unlink(missing_ok=True)
        write(layout, records)
        if what == "ahead":
            snapshot(layout, recover(layout, FileJournal(layout.journal), Limits()).state)
            saved.append(layout.checkpoint.read_bytes())
            write(layout, records[:30])
        elif what == "gap":
            saved.append(write(layout, records[:30] + records[31:]))
        else:
            torn = layout.journal.read_bytes()[: -9 - len(saved)]
            layout.journal.write_bytes(torn)
            saved.append(torn[torn.rindex(b"\n") + 1 :])
        repair(layout, Limits())
    kept = [path.read_bytes() for path in layout.root.iterdir() if path.is_file()]
    assert all(data in kept for data in saved)
    assert sum(data in saved for data in kept) == len(saved)
