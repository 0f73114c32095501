"""How a command ends: its code, what is told, and what it has printed."""

import os
import subprocess
import sys

import pytest

from kortana.cli.errors import NOT_RUNNING, CliError, ending

CODE = """
import sys
from kortana.cli.errors import ending
def command():
    print("so many words " * {times})
    return 0
sys.exit(ending(command, {as_json}, "kortana"))
"""
FULL = "No space left on device"


def _run(stdout: int, times: int = 1, as_json: bool = False, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE.format(times=times, as_json=as_json)], stdout=stdout, stderr=subprocess.PIPE,
        text=True, timeout=60, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
@pytest.mark.parametrize("times", [1, 10_000])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_cannot_be_printed_is_an_error_and_no_traceback(times: int, unbuffered: str) -> None:
    with open("/dev/full", "wb") as full:
        found = _run(full.fileno(), times, unbuffered=unbuffered)
        as_json = _run(full.fileno(), times, True, unbuffered)
    assert found.returncode == as_json.returncode == 1
    assert found.stderr.startswith("kortana: ") and found.stderr.endswith(f"{FULL}\n") and found.stderr.count("\n") == 1
    assert as_json.stderr.startswith('{"error": {"code": "os_error", ')


@pytest.mark.parametrize("times", [1, 10_000])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_ends_it_as_sigpipe_would_and_without_a_word(times: int, unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = _run(writing, times, unbuffered=unbuffered)
    os.close(writing)
    assert (found.returncode, found.stderr) == (141, "")


def _interrupted() -> int:
    raise KeyboardInterrupt


def test_an_interrupt_is_an_end_like_any_other() -> None:
    assert ending(_interrupted, False) == 130


def test_an_error_says_what_to_do_and_gives_no_orders_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    def refused() -> int:
        raise CliError(NOT_RUNNING, "not_running", "nobody\x1b[2J\nis here", "do this")

    assert ending(refused, False, "kortana agent") == NOT_RUNNING
    assert capsys.readouterr().err == "kortana agent: nobody\\u001b[2J\nis here\n  do this\n"
