"""Real processes in real folders."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.processes.bystanders import wait_for_bystanders


@pytest.fixture
def cat(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    (tmp_path / "here" / "below").mkdir(parents=True)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(["cat"], cwd=tmp_path / "here", **pipes) as process:  # type: ignore[call-overload]
        assert process.stdin and process.stdout
        process.stdin.write(b"up\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"up\n", "until then it may be a fork of ours"
        yield process
        process.kill()


@pytest.mark.parametrize(("where", "program"), [("here/below", "cat"), (".", "cat"), ("here", "cats")])
def test_what_stands_elsewhere_and_what_is_another_program_is_not_waited_for(
    cat: "subprocess.Popen[bytes]", tmp_path: Path, where: str, program: str
) -> None:
    wait_for_bystanders(tmp_path / where, program, 3000.0)
    assert cat.poll() is None


def test_a_program_in_the_folder_is_waited_for_but_no_longer_than_that(
    cat: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "here")
    began = time.monotonic()
    wait_for_bystanders(tmp_path / "link", "cat", 0.2)
    assert time.monotonic() - began >= 0.2 and cat.poll() is None
    cat.kill()
    wait_for_bystanders(tmp_path / "here", "cat", 3000.0)
    cat.wait(60)
