"""The relay's reading of a file: every line once, whatever its writers rename, truncate or replace."""

import os
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kortana.adapters.relay.followed import FollowedFiles
from kortana.adapters.relay.lines import message_of
from kortana.adapters.relay.tail import MAX_COMING, MAX_LINE, READ_BYTES, Position, TailedFile
from kortana.adapters.relay.unanswered import MAX_ANSWERED, Answered, Asked, Unanswered
from kortana.processes.watch import FolderWatch
from kortana.protocol.event import Event


def texts(file: TailedFile) -> list[str]:
    found: list[str] = []
    while lines := file.read():
        found += [line.data.decode() for line in lines]
    return found


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def later(file: TailedFile) -> TailedFile:
    """As a later run finds it, where everything was dealt with."""
    file.done_to(file.read_to)
    return TailedFile(file.path, msgspec.json.decode(msgspec.json.encode(file.position), type=Position))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "in.txt"


def test_a_renamed_file_is_read_to_its_end_before_the_next(path: Path) -> None:
    file = TailedFile(path, Position())
    append(path, "1\n")
    assert texts(file) == ["1"]
    append(path, "2\n3")
    path.rename(path.with_suffix(".old"))
    assert texts(file) == ["2"], "the new one may be written only when the old one is done"
    append(path, "4\n")
    assert texts(file) == ["3", "4"]
    assert file.position.generation == 1


def test_files_that_came_and_went_between_two_looks_are_read_in_their_order(path: Path) -> None:
    file = TailedFile(path, Position())
    for number in range(5):
        append(path, f"{number}\n")
        file.notice()
        path.rename(path.with_suffix(f".{number}"))
    append(path, "5\n")
    file.notice()
    assert texts(file) == list("012345")


def test_what_is_told_of_twice_is_read_once(path: Path) -> None:
    file = TailedFile(path, Position())
    old, older = path.with_suffix(".1"), path.with_suffix(".2")
    append(path, "1\n")
    assert texts(file) == ["1"]
    path.rename(older)
    append(path, "2\n")
    file.notice()
    path.rename(old)
    append(path, "3\n")
    file.notice()
    for place in (older, old, older, None, old):
        file.notice(place)
    assert texts(later(file)) == ["2", "3"] == texts(file)
    file.notice(old)
    append(path, "4\n")
    assert texts(file) == ["4"]


def test_what_was_renamed_while_nobody_read_is_found_by_a_later_run(path: Path) -> None:
    file = TailedFile(path, Position())
    append(path, "1\n")
    assert texts(file) == ["1"]
    append(path, "2\n")
    path.rename(path.with_suffix(".old"))
    append(path, "3\n")
    assert texts(later(file)) == ["2", "3"]


def test_all_that_were_renamed_while_nobody_read_are_found_but_no_copies(path: Path) -> None:
    file = TailedFile(path, Position())
    append(path, "1\n")
    assert texts(file) == ["1"]
    os.utime(path, ns=(0, 0))
    for number in range(2, 5):
        append(path, f"{number}\n")
        os.utime(path, ns=(0, number * 10**9))
        path.rename(path.with_name(f"in.txt.{9 - number}"))
    append(path, "5\n")
    copies = {"in.txt.bak": "5\n", "in.txt.copy": "1\n2\n", "in.txt.9.gz": "\x1f", "other.txt": "x\n"}
    for name, copied in copies.items():
        path.with_name(name).write_text(copied)
    path.with_name("in.txt.0").write_text("older\n")
    os.utime(path.with_name("in.txt.0"), ns=(0, 10**9))
    assert texts(later(file)) == ["2", "3", "4", "5"]


def test_a_file_that_is_not_done_with_is_not_left(path: Path) -> None:
    file = TailedFile(path, Position())
    append(path, "1\n")
    assert texts(file) == ["1"]
    path.rename(path.with_suffix(".old"))
    append(path, "2\n")
    assert file.read(lambda: False) == [] and file.waits
    file.done_to(0)
    assert texts(later(TailedFile(path, file.position))) == ["1", "2"]
    assert [line.data for line in file.read()] == [b"2"] and not file.waits


def test_a_long_file_is_known_by_its_beginning_from_the_first_read_on(path: Path) -> None:
    append(path, f"{'a' * 1000}\n")
    file = TailedFile(path, Position())
    assert len(texts(file)) == 1
    resumed = later(file)
    path.write_text(f"{'b' * 2000}\n")
    assert texts(resumed) == texts(file) == ["b" * 2000]
    append(path, "more\n")
    assert texts(later(file)) == texts(file) == ["more"]


@pytest.mark.parametrize("content", ["x\n", "a line\nmore than before\n", "A line\nmore\n"])
def test_other_content_in_the_same_file_is_begun_anew_however_long_it_is(path: Path, content: str) -> None:
    append(path, "a line\nmore\n")
    file = TailedFile(path, Position())
    assert texts(file) == ["a line", "more"]
    path.write_text(content)
    assert texts(later(file)) == texts(file) == content.splitlines()


def test_a_file_that_was_renamed_before_anybody_looked_is_found_by_its_new_names(tmp_path: Path) -> None:
    followed = FollowedFiles(tmp_path / "positions.json")
    queues = tmp_path / "queues"
    queues.mkdir()
    watch, file = FolderWatch(queues), followed.file(queues / "in.txt")
    names = ["in.txt.2", "in.txt.1", "in.txt"]
    for number in range(3):  # as logrotate moves them on
        for old, new in zip(names[1:], names, strict=False):
            if (queues / old).exists():
                (queues / old).rename(queues / new)
        append(queues / "in.txt", f"{number}\n")
    assert watch.wait(60)
    renames = watch.take_renames()
    assert renames == [("in.txt", "in.txt.1"), ("in.txt.1", "in.txt.2"), ("in.txt", "in.txt.1")]
    assert watch.take_renames() == []
    followed.notice(queues, renames)
    assert texts(file) == ["0", "1", "2"]
    watch.close()


def test_an_agents_log_under_another_name_is_not_another_agents(tmp_path: Path) -> None:
    path, renamed = tmp_path / "logs" / "a.log", tmp_path / "logs" / "a.1.log"
    path.parent.mkdir()
    append(path, "1\n")
    followed = FollowedFiles(tmp_path / "positions.json")
    assert texts(followed.file(path)) == ["1"]
    followed.save({})
    append(path, "2\n")
    path.rename(renamed)
    append(path, "3\n")
    for run in (FollowedFiles(tmp_path / "positions.json"), followed):
        assert texts(run.file(renamed)) == [] and texts(run.file(path)) == ["2", "3"]
    append(renamed, "4\n")
    assert texts(followed.file(renamed)) == ["4"]
    append(tmp_path / "logs" / "b.log", "5\n")
    assert texts(followed.file(tmp_path / "logs" / "b.log")) == ["5"]


def test_a_file_with_the_number_of_one_that_was_deleted_is_begun_anew(path: Path) -> None:
    append(path, "first\n")
    file = TailedFile(path, Position())
    assert texts(file) == ["first"]
    file.done_to(file.read_to)
    path.write_text("other, and longer\n")  # the same inode, as file systems give it again at once
    assert texts(TailedFile(path, file.position)) == ["other, and longer"]


def test_a_line_without_end_is_given_up_in_parts_and_never_waits_in_memory(path: Path) -> None:
    path.write_bytes(b"x" * (READ_BYTES + 10) + b"\nnext\n")
    file = TailedFile(path, Position())
    lines = [line for _ in range(3) for line in file.read()]
    assert [len(line.data) for line in lines] == [MAX_LINE, 10, 4]


def test_what_comes_is_remembered_within_bounds(path: Path) -> None:
    file = TailedFile(path, Position())
    for number in range(MAX_COMING + 50):
        append(path, "x\n")
        file.notice()
        path.rename(path.with_suffix(f".{number}"))
    append(path, "last\n")
    found = texts(file)
    assert len(found) == MAX_COMING + 1 and found[-1] == "last"


OPERATIONS = st.lists(
    st.sampled_from(["write", "part", "rename", "truncate", "read", "restart", "notice"]), min_size=5, max_size=40
)


@given(OPERATIONS)
def test_every_line_once_and_in_order_whatever_happens(operations: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in.txt"
        file = TailedFile(path, Position())
        written: list[str] = []
        found: list[str] = []
        part = ""
        for number, operation in enumerate(operations):
            if operation in ("write", "part"):
                text = f"{number}," if operation == "part" else f"{number}\n"
                append(path, text)
                part += text
                if operation == "write":
                    written.append(part.strip())
                    part = ""
                    file.notice()
            elif operation == "rename" and path.exists():
                file.notice()
                path.rename(Path(folder) / f"in.txt.{number}")
                if part:
                    written.append(part)  # nobody ends it any more
                    part = ""
            elif operation == "truncate" and path.exists() and not part:
                found += texts(file)
                path.write_text("")
                found += texts(file)
            elif operation == "read":
                found += texts(file)
            elif operation == "restart":
                file = later(file)
            elif operation == "notice":
                file.notice()
        append(path, "the end\n")
        file.notice()
        found += texts(file)
        assert found == [*written, part + "the end"]


def test_positions_of_all_files_are_saved_at_what_is_not_answered(tmp_path: Path) -> None:
    path = tmp_path / "q" / "in.txt"
    path.parent.mkdir()
    append(path, "1\n2\n3\n")
    followed = FollowedFiles(tmp_path / "positions.json")
    file = followed.file(path)
    first, second, third = file.read()
    waiting = Unanswered()
    for line in (second, third):
        event = Event(line.data.decode(), "", "a", "coordinator", "INFO", None, "normal", {}, True)
        waiting.add(Asked(event, b"", file, file.position.generation, line.offset, True))
    followed.save(waiting.firsts())
    assert texts(FollowedFiles(tmp_path / "positions.json").file(path)) == ["2", "3"]
    waiting.keep("a", 1)
    assert len(waiting) == 1 and waiting.get("a", "2") and waiting.has_any_of(file)
    waiting.discard("a", "2")
    followed.save(waiting.firsts())
    assert texts(FollowedFiles(tmp_path / "positions.json").file(path)) == []
    assert first.end == second.offset


def test_answers_are_remembered_within_bounds_and_found_in_the_agents_file() -> None:
    told = [b'{"event_type":"ACK","payload":{"ack_for_event_id":"old"}}', b'{"ACK"', b'"ACK"', b'{"event_type":"ACK"}']
    answered = Answered(b"\n".join(told))
    assert "old" in answered and answered.by_former("old") and "new" not in answered
    answered.forget_former()
    assert "old" not in answered
    answered.add("old")
    assert "old" in answered and not answered.by_former("old")
    for number in range(MAX_ANSWERED):
        answered.add(str(number))
    assert "old" not in answered and "0" in answered and str(MAX_ANSWERED - 1) in answered


@pytest.mark.parametrize(("text", "target"), [
    ("done", "all"), ("ask @w", "w"), ("mail me@w, not w", "all"), ("@nobody or @w.", "w"), ("@w-2, please", "w-2"),
    ("@all hear", "all"), ("to you @nobody ", "nobody"), ("@nobody, you", "all"), ("look, @operator", "operator"),
    ("is it @supervisor", "all"),
    ("as @w said @nobody", "w"),
])  # fmt: skip
def test_a_message_goes_to_the_first_agent_that_it_names_or_to_whom_it_is_addressed(text: str, target: str) -> None:
    line = f"[2026-11-25 10:00:00] INTENT: {text}".encode()
    found = message_of(line, "me", "place", lambda name: name in ("w", "w-2"))
    assert found is not None and found.target == target
