"""What `events` and `tasks show` read from the journal's lines."""

from pathlib import Path
from typing import Any

import pytest

from kortana.cli.errors import DAMAGED, CliError
from kortana.cli.records import SAID_CHARS, field_text, in_words, record_in, records_of


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
    with pytest.raises(CliError, match=f"offset {len(line(1, 't1'))}: no record") as caught:
        seqs(journal)
    assert caught.value.exit_code == DAMAGED
    assert seqs(journal, 0, field_text("task_id", "t1")) == [1]


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({}, ""),
        ({"status": "in_progress", "progress": 40.0, "details": "half\nof it"}, "in_progress, half of it, 40 %"),
        ({"instruction": "replan", "reason": "blocker_reported", "by": "x"}, "replan, blocker_reported"),
        ({"accepted": False, "reason": "stale_lease"}, "refused: stale_lease"),
        ({"accepted": True, "reason": "", "task": {"status": "pending"}}, "accepted: pending"),
        ({"accepted": True, "task": {}, "lease": {"token": 7, "ttl_s": 120.0}}, "granted, token 7, for 120 s"),
        ({"accepted": True, "reason": ""}, "accepted"),
        ({"text": "a\x1b[2J\u202e"}, "a\\u001b[2J\\u202e"),
        ({"reason": 5, "text": "x" * 200}, "x" * (SAID_CHARS - 3) + "..."),
    ],
)  # fmt: skip
def test_what_a_record_says_stands_on_one_line(payload: dict[str, Any], said: str) -> None:
    of_the_coordinator = {"event_type": "ACK", "source": "coordinator"}
    of_an_agent = {"event_type": "INFO", "source": "a"}
    assert in_words({**(of_the_coordinator if "accepted" in payload else of_an_agent), "payload": payload}) == said


WILD = [{"accepted": False}, {"accepted": True, "lease": 5}, {"progress": "x", "text": []}]


@pytest.mark.parametrize("payload", WILD)
def test_what_an_agent_says_need_not_make_sense(payload: dict[str, Any]) -> None:
    assert in_words({"event_type": "TASK_UPDATE", "source": "a", "payload": payload}) == ""


@pytest.mark.parametrize("text", [b"x", b"[1]", b'{"seq":1}', b'{"payload":3}', b"\xff"])
def test_what_is_no_record_is_named_with_its_place(text: bytes) -> None:
    with pytest.raises(CliError, match="here: no record") as caught:
        record_in(text, "here")
    assert caught.value.exit_code == DAMAGED
