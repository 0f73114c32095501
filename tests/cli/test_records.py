"""What `events` and `tasks show` read from the journal's lines."""

from pathlib import Path

import pytest

from kortana.cli.errors import DAMAGED, CliError
from kortana.cli.records import field_text, records_of


def line(seq: int, task: str) -> str:
    return f'{{"id":"e{seq}","task_id":"{task}","payload":{{}},"seq":{seq},"crc":"00000000"}}\n'


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "coordination_events.jsonl"
    path.write_text("".join(line(seq, f"t{seq % 2}") for seq in range(1, 7)))
    return path


def seqs(journal: Path, after: int = 0, *holding: bytes) -> list[int]:
    return [record["seq"] for record in records_of(journal, after, holding)]


def test_only_lines_that_hold_the_text_are_given(journal: Path) -> None:
    assert seqs(journal) == [1, 2, 3, 4, 5, 6]
    assert seqs(journal, 0, field_text("task_id", "t1")) == [1, 3, 5]
    assert seqs(journal, 0, field_text("task_id", 't"1')) == []


def test_a_line_that_is_not_whole_is_left_out(journal: Path) -> None:
    journal.write_text(journal.read_text() + line(7, "t1")[:-9])
    assert seqs(journal) == [1, 2, 3, 4, 5, 6]


def test_a_line_that_is_no_record_is_named(journal: Path) -> None:
    journal.write_text(line(1, "t1") + "x" + line(2, "t0"))
    with pytest.raises(CliError, match=f"no record at offset {len(line(1, 't1'))}") as caught:
        seqs(journal)
    assert caught.value.exit_code == DAMAGED
    assert seqs(journal, 0, field_text("task_id", "t1")) == [1]
