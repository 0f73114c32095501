"""Real processes in real folders."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.processes.bystanders import wait_for_bystanders


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    (tmp_path / "here" / "below").mkdir(parents=True)
    with subprocess.Popen(["sleep", "3000"], cwd=tmp_path / "here") as process:
        while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":  # until then it is a fork of ours
            time.sleep(0.001)
        yield process
        process.kill()


@pytest.mark.parametrize(("where", "program"), [("here/below", "sleep"), (".", "sleep"), ("here", "sleepy")])
def test_what_stands_elsewhere_and_what_is_another_program_is_not_waited_for(
    sleeper: "subprocess.Popen[bytes]", tmp_path: Path, where: str, program: str
) -> None:
    wait_for_bystanders(tmp_path / where, program, 3000.0)
    assert sleeper.poll() is None


def test_a_program_in_the_folder_is_waited_for_but_no_longer_than_that(
    sleeper: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "here")
    began = time.monotonic()
    wait_for_bystanders(tmp_path / "link", "sleep", 0.2)
    assert time.monotonic() - began >= 0.2 and sleeper.poll() is None
    sleeper.kill()
    wait_for_bystanders(tmp_path / "here", "sleep", 3000.0)
    sleeper.wait(60)
