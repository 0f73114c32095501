"""A child is followed to its own end, whoever holds its pipe, and however it writes."""

import subprocess
import sys

import pytest

from kortana.processes.following import MAX_LINE, follow

pytestmark = pytest.mark.timeout(60)


def start(script: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)


def lines_of(process: "subprocess.Popen[bytes]", stall_s: float = 0.0) -> list[str]:
    found: list[str] = []
    assert follow(process, found.append, stall_s)
    assert process.wait(0) is not None and process.stdout is not None and process.stdout.closed
    return found


def test_every_line_is_given_and_the_last_one_without_its_end() -> None:
    assert lines_of(start("echo one; echo; printf two")) == ["one", "", "two"]


def test_who_holds_the_pipe_without_a_word_is_not_waited_for() -> None:
    holder = start("sleep 1000 & echo $!")
    [pid] = lines_of(holder)
    subprocess.run(["kill", pid], check=True)


def test_who_writes_to_it_for_ever_is_not_waited_for() -> None:
    found = lines_of(start("yes & echo started"))
    assert "started" in found


def test_what_was_written_just_before_the_end_is_not_lost() -> None:
    assert lines_of(start("seq 20000")) == [str(n) for n in range(1, 20001)]


@pytest.mark.parametrize("first", [3 * MAX_LINE + 5, 40_000], ids=["at once", "in parts"])
def test_a_line_without_an_end_comes_in_pieces(first: int) -> None:
    rest = 3 * MAX_LINE + 5 - first
    found = lines_of(start(f"head -c {first} /dev/zero; sleep 0.1; head -c {rest} /dev/zero"))
    assert [len(piece) for piece in found] == [MAX_LINE] * 3 + [5]


def test_one_that_closes_its_output_is_followed_to_its_end() -> None:
    assert lines_of(start("echo bye; exec >&-; sleep 0.5")) == ["bye"]


def test_one_that_says_nothing_for_too_long_is_left_as_it_is() -> None:
    process = start("echo hello; exec sleep 1000")
    found: list[str] = []
    assert not follow(process, found.append, stall_s=0.5)
    assert found == ["hello"] and process.poll() is None
    process.kill()
    process.wait()


def test_one_whose_exit_code_has_been_taken_already() -> None:
    process = subprocess.Popen([sys.executable, "-c", "print('gone')"], stdout=subprocess.PIPE)
    process.wait()
    assert lines_of(process) == ["gone"]
