"""The journal's files: rotation, seeking, torn tails, damage; snapshots and recovery over them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout, replace_file
from kortana.adapters.files.recovery import recover
from kortana.adapters.files.segments import (
    JournalDamageError,
    TornTail,
    first_available,
    lines_of,
    offset_after,
    prune,
    segment_paths,
)
from kortana.adapters.files.snapshots import FileSnapshots
from kortana.core.checkpoint import canonical, rest_of
from kortana.core.state import Limits
from kortana.core.views import agents_view
from kortana.ports import JournalFault, JournalGone, Snapshot
from kortana.protocol.codec import encode_json, encode_record
from kortana.protocol.event import Record
from tests.core.harness import Core


@pytest.fixture
def records() -> list[Record]:
    """What a small team says: grants, denials, an expiry."""
    core = Core()
    core.up("a", "b")
    for n in range(10):
        core.add(f"t{n}")
    core.claim("a", "t0")
    core.claim("b", "t0")
    core.claim("b", "t1", ttl_s=30)
    core.pass_time(60)
    return core.records


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    made = DataLayout(tmp_path / "data")
    made.create()
    return made


def write(layout: DataLayout, records: list[Record], rotate: int = 1 << 30) -> FileJournal:
    journal = FileJournal(layout.journal, True, rotate)
    journal.open()
    for record in records:
        journal.commit([encode_record(record)], record.seq)
    return journal


def seqs(journal: FileJournal, after: int = 0) -> list[int]:
    return [record.seq for record in journal.read(after)]


def test_what_was_committed_reads_back_over_segments_from_any_seq(layout: DataLayout, records: list[Record]) -> None:
    journal = write(layout, records, rotate=2000)
    assert len(segment_paths(layout.journal)) > 3
    for after in range(len(records) + 1):
        assert seqs(journal, after) == list(range(after + 1, len(records) + 1))


def test_only_so_many_segments_stay_and_none_goes_that_no_checkpoint_covers(
    layout: DataLayout, records: list[Record]
) -> None:
    journal = write(layout, records, rotate=2000)
    paths = segment_paths(layout.journal)
    starts = [next(iter(lines_of(path)))[1] for path in paths]
    assert prune(layout.journal, 2, covered_seq=0) == []
    covered = int(starts[2].split(b'"seq":')[1].split(b",")[0]) - 1
    assert prune(layout.journal, 2, covered) == paths[:2]
    assert prune(layout.journal, 2, covered_seq=1 << 60) == paths[2:-3]
    assert len(segment_paths(layout.journal)) == 3
    with pytest.raises(JournalDamageError, match="no checkpoint stands for them"):
        seqs(journal)
    begin = first_available(layout.journal)
    assert seqs(journal, begin - 1) == list(range(begin, len(records) + 1))


def test_the_search_by_bytes_finds_every_seq(layout: DataLayout, records: list[Record]) -> None:
    write(layout, records)
    data = layout.journal.read_bytes()
    for record in records:
        line = data[offset_after(layout.journal, record.seq - 1) :].split(b"\n")[0]
        assert line == encode_record(record)[:-1]
    assert offset_after(layout.journal, len(records)) == len(data)


def test_a_torn_tail_at_any_byte_is_saved_aside_and_cut(layout: DataLayout, records: list[Record]) -> None:
    write(layout, records)
    data = layout.journal.read_bytes()
    last = len(encode_record(records[-1]))
    for missing in range(1, last):
        layout.journal.write_bytes(data[:-missing])
        found = recover(layout, FileJournal(layout.journal), Limits())
        assert found.state.seq == len(records) - 1
        assert found.torn_aside is not None and found.torn_aside.read_bytes() == data[-last:-missing]
        assert layout.journal.read_bytes() == data[:-last]


def test_damage_with_whole_records_after_it_is_told_by_file_and_offset(
    layout: DataLayout, records: list[Record]
) -> None:
    journal = write(layout, records)
    data = bytearray(layout.journal.read_bytes())
    start = offset_after(layout.journal, 4)
    data[start + 30] ^= 1
    layout.journal.write_bytes(bytes(data))
    with pytest.raises(JournalDamageError) as caught:
        seqs(journal)
    assert (caught.value.path, caught.value.offset) == (layout.journal, start)


def test_a_gap_in_seq_is_damage(layout: DataLayout, records: list[Record]) -> None:
    journal = write(layout, records[:5] + records[6:])
    with pytest.raises(JournalDamageError, match="seq 7 where 6 is due"):
        seqs(journal)


def test_a_journal_that_is_no_text_at_all_is_a_torn_tail_or_damage(layout: DataLayout) -> None:
    layout.journal.write_bytes(os.urandom(3000))
    with pytest.raises((TornTail, JournalDamageError)):
        seqs(FileJournal(layout.journal))


def test_a_checkpoint_and_the_tail_give_what_the_whole_journal_gives(layout: DataLayout, records: list[Record]) -> None:
    write(layout, records[:16])
    state = recover(layout, FileJournal(layout.journal), Limits()).state
    state.pages.begin()
    state.pages.step(1 << 30)
    rest = encode_json(rest_of(state))
    snapshot = Snapshot(state.seq, state.recorded_at, state.pages.texts(), agents_view(state), rest)
    FileSnapshots(layout).write(snapshot)
    journal = FileJournal(layout.journal)
    for record in records[16:]:
        journal.commit([encode_record(record)], record.seq)
    found = recover(layout, journal, Limits())
    assert found.records == len(records) - 16
    with_checkpoint = canonical(found.state)
    layout.checkpoint.unlink()
    assert canonical(recover(layout, journal, Limits()).state) == with_checkpoint


def test_a_damaged_checkpoint_is_told_and_done_without(layout: DataLayout, records: list[Record]) -> None:
    write(layout, records)
    layout.checkpoint.write_bytes(b'{"version":1}')
    found = recover(layout, FileJournal(layout.journal), Limits())
    assert found.state.seq == len(records)
    assert "checkpoint.json" in found.notes[0]


def test_a_failed_commit_leaves_the_file_at_a_record(
    layout: DataLayout, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = write(layout, records[:5])
    before = layout.journal.read_bytes()
    real_write = os.write

    def full(fd: int, data: bytes) -> int:
        real_write(fd, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(JournalFault, match="No space left"):
        journal.commit([encode_record(records[5])], 6)
    monkeypatch.undo()
    assert layout.journal.read_bytes() == before
    journal.commit([encode_record(records[5])], 6)
    assert seqs(journal) == [1, 2, 3, 4, 5, 6]


TAKEN_AWAY: dict[str, Callable[[DataLayout], object]] = {
    "removed": lambda layout: layout.journal.unlink(),
    "moved with its folder": lambda layout: layout.root.rename(layout.root.with_name("elsewhere")),
    "replaced": lambda layout: replace_file(layout.journal, [layout.journal.read_bytes()]),
}


@pytest.mark.parametrize("how", TAKEN_AWAY)
def test_nothing_is_acknowledged_that_goes_into_a_file_which_is_not_there_any_more(
    layout: DataLayout, records: list[Record], how: str
) -> None:
    journal = write(layout, records[:5], rotate=200)
    TAKEN_AWAY[how](layout)
    for _ in range(2):
        with pytest.raises(JournalGone, match="while it was in use"):
            journal.commit([encode_record(records[5])], 6)
    with pytest.raises(JournalGone):
        FileSnapshots(layout, check=journal.check_place).write(Snapshot(5, "", [], {}, b"{}"))
    assert not layout.task_graph.exists()


def failing_sync(monkeypatch: pytest.MonkeyPatch, also_truncate: bool) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("kortana.adapters.files.journal._sync", broken)
    monkeypatch.setattr(os, "fsync", broken)
    if also_truncate:
        monkeypatch.setattr(os, "ftruncate", broken)


@pytest.mark.parametrize("also_truncate", [False, True], ids=["rolled back", "left behind"])
def test_after_a_failed_sync_the_journal_goes_on_in_a_new_file_from_the_verified_prefix(
    layout: DataLayout, records: list[Record], monkeypatch: pytest.MonkeyPatch, also_truncate: bool
) -> None:
    journal = write(layout, records[:5])
    failing_sync(monkeypatch, also_truncate)
    with pytest.raises(JournalFault, match="sync: Input/output error"):
        journal.commit([encode_record(r) for r in records[5:8]], 8)
    monkeypatch.undo()
    other = [Record(r.event, r.seq, r.recorded_at, r.body.replace(b'"normal"', b'"urgent"'), 0) for r in records[5:]]
    for record in other:
        journal.commit([encode_record(record)], record.seq)
    assert len(segment_paths(layout.journal)) == 2
    found = list(FileJournal(layout.journal).read())
    assert [r.seq for r in found] == list(range(1, len(records) + 1))
    assert [r.body for r in found[5:]] == [r.body for r in other], "what was never acknowledged is void"
    for after in range(len(records)):
        assert seqs(journal, after) == list(range(after + 1, len(records) + 1))


def test_opening_makes_durable_what_a_killed_process_had_only_written(
    layout: DataLayout, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(layout, records)
    synced: list[int] = []
    monkeypatch.setattr("kortana.adapters.files.journal._sync", synced.append)
    FileJournal(layout.journal).open()
    assert len(synced) == 1


def _cuts(line: bytes) -> list[bytes]:
    """Every beginning of a line, in `make test` every third, and some that garbage ends: with a line feed in it, it
    looks whole."""
    cuts = [line[:length] for length in range(1, len(line), 1 if os.environ.get("KORTANA_LONG") else 3)]
    return [*cuts, *(cut + b",\xff\x01\n" for cut in cuts)]


def test_wherever_the_first_record_of_a_new_file_is_torn_the_files_before_it_are_read(
    layout: DataLayout, records: list[Record]
) -> None:
    """A seq that is cut after its first digits is a smaller one."""
    *whole, torn = records
    write(layout, whole).close()
    os.rename(layout.journal, layout.journal.with_name("coordination_events.000001.jsonl"))
    for cut in _cuts(encode_record(torn)):
        layout.journal.write_bytes(cut)
        journal = FileJournal(layout.journal)
        for after in (0, len(whole) - 3, len(whole)):
            found = []
            with pytest.raises(TornTail):
                for record in journal.read(after):
                    found.append(record.seq)
            assert found == [record.seq for record in whole[after:]], cut
        assert recover(layout, journal, Limits()).state.seq == len(whole)


def test_wherever_the_last_record_is_torn_those_before_it_are_read_from_any_seq_on(
    layout: DataLayout, records: list[Record]
) -> None:
    *whole, torn = records
    write(layout, whole).close()
    data = layout.journal.read_bytes()
    for cut in _cuts(encode_record(torn)):
        layout.journal.write_bytes(data + cut)
        for after in range(len(whole) + 1):
            found = []
            with pytest.raises(TornTail):
                for record in FileJournal(layout.journal).read(after):
                    found.append(record.seq)
            assert found == [record.seq for record in whole[after:]], (cut, after)


def test_lines_with_a_text_are_found_at_their_places_however_long_the_file_is(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    lines = [b"%d %s\n" % (number, b"x" * (number % 300)) for number in range(3000)]
    lines[7], lines[2999] = b"\n", b"2999 no end of line"
    path.write_bytes(b"".join(lines))
    places = [sum(map(len, lines[:number])) for number in range(3000)]
    assert list(lines_of(path)) == list(zip(places, lines, strict=True))
    assert list(lines_of(path, places[1500])) == list(zip(places, lines, strict=True))[1500:]
    wanted = [(place, line) for place, line in zip(places, lines, strict=True) if b"99" in line and b"x" * 250 in line]
    assert list(lines_of(path, 0, (b"99", b"x" * 250))) == wanted != []
    assert list(lines_of(path, 0, (b"no end",))) == [(places[2999], lines[2999])]
