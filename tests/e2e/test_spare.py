"""The process that stands by: it becomes the successor, nobody depends on it, and it outlives nobody."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.project import Project, eventually

FAST = {"backoff": {"initial": "0s", "max": "0s"}, "intensity": 100}


def _spares(project: Project) -> set[int]:
    launcher = project.pids()["launcher"]
    workers = {row["pid"] for row in project.json("ps")["workers"]}
    found = set()
    for pid in project.processes():
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == launcher and pid not in workers:
            found.add(pid)
    return found


def _the_spare(project: Project) -> int:
    """The only one there is, once there is one."""
    eventually(lambda: len(_spares(project)) == 1, "one spare stands by")
    return _spares(project).pop()


def _up_with_a_spare(project: Project) -> int:
    project.write({"workers": {"w": {"command": ["sleep", "1000"], **FAST}}})
    project.up()
    return _the_spare(project)


def _open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def _kill_and_follow(project: Project, incarnation: int) -> int:
    os.kill(project.worker("w")["pid"], signal.SIGKILL)
    eventually(lambda: project.running("w", incarnation), f"incarnation {incarnation}")
    return int(project.worker("w")["pid"])


@pytest.mark.parametrize("how", [{"command": ["sleep", "1000"]}, {"entrypoint": "idle:run"}], ids=["command", "python"])
def test_the_spare_becomes_the_successor_and_another_one_stands_by(project: Project, how: dict[str, object]) -> None:
    project.write({"workers": {"w": {**how, **FAST}}}, idle__py="def run(agent):\n    agent.receive()\n")
    project.up()
    for incarnation in (2, 3):
        spare = _the_spare(project)
        assert _kill_and_follow(project, incarnation) == spare
    project.down()
    assert project.all_gone()


def test_without_a_spare_a_worker_is_forked_on_the_spot(project: Project) -> None:
    spare = _up_with_a_spare(project)
    launcher = project.pids()["launcher"]
    held = _open_files(launcher)
    os.kill(spare, signal.SIGKILL)
    eventually(lambda: not _spares(project), "it is gone, and reaped")
    eventually(lambda: _open_files(launcher) == held - 5, "its pipes are closed")
    assert _kill_and_follow(project, 2) != spare
    os.kill(_the_spare(project), signal.SIGSTOP)  # takes its orders, and does not move: the start is late, no more
    os.kill(project.worker("w")["pid"], signal.SIGKILL)
    eventually(lambda: project.worker("w")["state"] == "starting", "the stopped one has its orders")
    project.down()
    assert project.all_gone()


def test_the_spare_goes_with_its_launcher(project: Project) -> None:
    spare = _up_with_a_spare(project)
    os.kill(project.pids()["launcher"], signal.SIGKILL)
    eventually(lambda: project.running("w", 2), "a new launcher starts the worker")
    eventually(lambda: spare not in project.processes(), "the old spare is gone")
    _the_spare(project)
    os.kill(project.pids()["supervisor"], signal.SIGKILL)
    eventually(project.all_gone, "nothing is left")
    assert project.all_gone()


CLEAN = {"SigBlk": 0, "SigIgn": 0}
SHOW = "grep -E 'Sig(Blk|Ign)' /proc/self/status > state.tmp; ls /proc/self/fd >> state.tmp; mv state.tmp $$$$.state; "


def _state(project: Project) -> tuple[dict[str, int], list[str]]:
    """Which signals the command blocks and ignores, and its open files (`ls` has one of its own)."""
    found = project.folder / f"{project.worker('w')['pid']}.state"
    eventually(found.exists, f"{found.name} is there")
    lines = found.read_text().split("\n")[:-1]
    usual = (1 << 31) - 1  # those above are the C library's, and whoever runs the tests may ignore them
    return {line[:6]: int(line[8:], 16) & usual for line in lines[:2]}, lines[2:]


def test_a_command_begins_with_clean_signals_and_only_its_streams(project: Project) -> None:
    """Forked for it, or the spare: both find what a shell would give them, whatever `up` itself was given."""
    project.write({"workers": {"w": {"command": ["sh", "-c", SHOW + "exec sleep 1000"], **FAST}}})
    up = f"trap '' QUIT USR1 USR2 PIPE; exec {sys.executable} -m kortana up -d"
    subprocess.run(["sh", "-c", up], cwd=project.folder, env=project.env, check=True, stdout=subprocess.DEVNULL)
    assert _state(project) == (CLEAN, ["0", "1", "2", "3"])
    _the_spare(project)
    _kill_and_follow(project, 2)
    assert _state(project) == (CLEAN, ["0", "1", "2", "3"])
