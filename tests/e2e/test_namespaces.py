"""Kortana in a PID namespace of its own, as in a container, and what is said to it from without."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana import AgentInterface
from kortana.processes.lock import holder_of
from tests.e2e.project import KORTANA, PATIENCE_S, Project, eventually

IN_A_NAMESPACE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture(autouse=True, scope="module")
def may_be_made() -> None:
    """Not by everybody, nor within every container."""
    if shutil.which("unshare") is None or subprocess.run([*IN_A_NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("SKIPPED: a PID namespace cannot be made here")


def test_as_pid_1_it_reaps_what_is_left_to_it_and_forwards_the_end(project: Project) -> None:
    orphaner = (
        "(setsid sh -c 'sleep 0.2; exit 0' &) ; trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.1; done"
    )
    project.write({"workers": {"o": {"command": ["sh", "-c", orphaner]}}})
    process = subprocess.Popen(
        [*IN_A_NAMESPACE, sys.executable, "-m", "kortana", "up"],
        cwd=project.folder, env=project.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: "on" in project.log("o"), "the worker runs")
    eventually(lambda: project.supervision("ready", worker="o"), "it is ready")
    os.kill(_its_child(process), signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert "SIGTERM" in err and "bye" in out, (out, err)
    assert process.returncode == 0


@pytest.fixture
def contained(project: Project) -> Iterator[subprocess.Popen[str]]:
    """A Kortana in a namespace of its own; what is given is the process outside that waits for it."""
    deaf = {"command": ["sh", "-c", "trap '' TERM; echo on; while :; do sleep 0.1; done"], "stop": {"grace": "1s"}}
    project.write({"workers": {"w": deaf}})
    process = subprocess.Popen(
        [*IN_A_NAMESPACE, KORTANA, "up"],
        cwd=project.folder, env=project.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    eventually(lambda: "on" in project.log("w"), "the worker runs")
    yield process
    process.kill()
    process.communicate(timeout=PATIENCE_S)


def _its_child(process: subprocess.Popen[str]) -> int:
    return int(subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout)


def _beside(project: Project, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs it to its end in another namespace."""
    return subprocess.run(
        [*IN_A_NAMESPACE, *words],
        cwd=project.folder, env=project.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip


def _lock(project: Project) -> Path:
    return project.folder / "data" / "run" / "lock"


def test_from_above_its_process_is_known_by_the_number_that_counts_there(
    project: Project, contained: subprocess.Popen[str]
) -> None:
    supervisor = _its_child(contained)
    assert holder_of(_lock(project)) == supervisor
    assert f"pid {supervisor}" in project.call("up", expect=6).stderr
    shown = project.json("ps")
    assert shown["pid"] == supervisor
    assert "trap" in Path(f"/proc/{shown['workers'][0]['pid']}/cmdline").read_text()
    project.down()
    assert holder_of(_lock(project)) is None and contained.wait(PATIENCE_S) == 0
    eventually(project.all_gone)


def test_from_above_one_that_does_not_answer_is_asked_to_end(
    project: Project, contained: subprocess.Popen[str]
) -> None:
    (project.folder / "data" / "run" / "endpoint.json").unlink()
    assert project.call("down").stdout == "stopped\n"
    assert contained.wait(PATIENCE_S) == 0


def test_from_beside_it_down_waits_for_the_lock(project: Project, contained: subprocess.Popen[str]) -> None:
    """In a namespace that does not see it, its number may be anybody's."""
    ps = _beside(project, KORTANA, "ps")
    assert ps.returncode == 0, ps.stderr
    first, _, row = ps.stdout.splitlines()
    assert ", pid -, up " in first and row.split()[:3] == ["w", "running", "-"]
    down = _beside(project, KORTANA, "down")
    assert (down.returncode, down.stdout) == (0, "stopped\n"), down.stderr
    assert holder_of(_lock(project)) is None
    assert contained.wait(PATIENCE_S) == 0


def test_from_beside_it_nobody_is_asked_to_end_in_its_place(
    project: Project, contained: subprocess.Popen[str]
) -> None:
    """There its number, 1, is that of the shell."""
    endpoint = project.folder / "data" / "run" / "endpoint.json"
    known = endpoint.read_bytes()
    endpoint.unlink()
    script = "trap 'echo asked' TERM; \"$@\"; code=$?; echo over; exit $code"
    down = _beside(project, "sh", "-c", script, "sh", KORTANA, "down")
    assert (down.returncode, down.stdout) == (5, "over\n"), down.stderr
    assert "does not answer, and its process cannot be reached from here" in down.stderr
    endpoint.write_bytes(known)
    assert contained.poll() is None
    os.kill(_its_child(contained), signal.SIGTERM)
    assert contained.wait(PATIENCE_S) == 0


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "other").mkdir()
    made = Project(tmp_path / "other")
    yield made
    made.clean_up()


def test_it_is_reached_by_a_folder_that_has_another_path_there(project: Project, other: Project) -> None:
    """As one that is mounted into a container; at the path that it has there, there is another Kortana here."""
    other.write({"workers": {}, "tasks": [{"id": "other"}]})
    other.up()
    project.write({"workers": {}, "tasks": [{"id": "t"}]})
    script = f'mount --bind "$0" "$1" && cd "$1" && exec {KORTANA} up -d'
    words = ["unshare", "--mount", "sh", "-c", script, str(project.folder), str(other.folder)]
    subprocess.run(words, env=project.env, timeout=PATIENCE_S, check=True, capture_output=True)
    assert str(other.folder) in (project.folder / "data" / "run" / "endpoint.json").read_text()
    assert [task["id"] for task in project.json("tasks", "list")["tasks"]] == ["t"]
    assert project.call("agent", "claim", "--as", "me").stdout.startswith("t ")
    with AgentInterface("you", project.folder) as agent:
        assert agent.claim_task("t").reason == "task_already_leased"
    project.down()
    eventually(project.all_gone)
    assert other.json("ps")["state"] == "running"
