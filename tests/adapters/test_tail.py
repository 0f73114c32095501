"""What a crash record shows of the journal comes from memory, and from the files for what was committed before."""

from pathlib import Path

from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.tail import TAIL_BYTES
from kortana.protocol.codec import encode_json, encode_record
from kortana.protocol.event import Event, Record

AT = "2026-01-01T00:00:00.000Z"


def line(seq: int, source: str = "w", target: str = "coordinator", details: str = "") -> bytes:
    event = Event(f"e{seq}", AT, source, target, "HEARTBEAT", None, "normal", {"details": details}, False)
    return encode_record(Record(event, seq, AT, encode_json(event), 0))


def seqs(journal: FileJournal, agent: str, most: int = 20) -> list[int]:
    return [event["seq"] for event in journal.tail.events_of(agent, most)]


def opened(tmp_path: Path, rotate_bytes: int = 1 << 30) -> FileJournal:
    return FileJournal(tmp_path / "coordination_events.jsonl", durable=False, rotate_bytes=rotate_bytes)


def test_the_last_events_to_and_from_an_agent_oldest_first(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.commit([line(1), line(2, "other"), line(3, "coordinator", "w")], 3)
    journal.commit([line(4), line(5, "other", details='says "w"')], 5)
    assert seqs(journal, "w") == [1, 3, 4]
    assert seqs(journal, "w", 2) == [3, 4]


def test_what_an_earlier_process_had_committed_is_read_once_across_a_rotation(tmp_path: Path) -> None:
    before = opened(tmp_path, rotate_bytes=1)
    for seq in range(1, 4):
        before.commit([line(seq)], seq)
    before.close()
    journal = opened(tmp_path)
    assert seqs(journal, "w") == [1, 2, 3], "also before anything is committed"
    journal.commit([line(4)], 4)
    assert seqs(journal, "w") == [1, 2, 3, 4]
    for path in tmp_path.glob("*.jsonl"):
        path.unlink()
    assert seqs(journal, "w") == [1, 2, 3, 4]


def test_a_journal_that_has_written_already_does_not_take_its_own_records_twice(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.commit([line(1)], 1)
    journal.commit([line(2)], 2)
    assert seqs(journal, "w") == [1, 2]


def test_memory_is_bounded_and_a_torn_end_is_passed_over(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    pad = "x" * 10_000
    for seq in range(1, 101):
        journal.commit([line(seq, details=pad)], seq)
    kept = seqs(journal, "w", 1000)
    assert kept == list(range(kept[0], 101)) and 20 <= len(kept) <= TAIL_BYTES // 10_000 + 2
    journal.close()
    with (tmp_path / "coordination_events.jsonl").open("ab") as file:
        file.write(line(101)[:50])
    assert seqs(opened(tmp_path), "w", 3) == [98, 99, 100]


def test_no_journal_no_events(tmp_path: Path) -> None:
    assert seqs(opened(tmp_path), "w") == []
