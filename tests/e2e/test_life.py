"""up, down, ps, start, stop, restart: what a user of docker compose does all day."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from kortana import AgentInterface
from tests.e2e.project import KORTANA, PATIENCE_S, Project, eventually

SLEEPER = {"command": ["sleep", "1000"]}


def test_up_shows_its_workers_and_down_leaves_nothing(project: Project) -> None:
    project.write({"project": "team", "workers": {"a": SLEEPER, "b": {**SLEEPER, "replicas": 2}}})
    assert "team is up" in project.up()
    told = project.call("ps", "--json")
    assert told.stderr == ""
    shown = json.loads(told.stdout)
    assert shown["project"] == "team" and shown["state"] == "running"
    assert [row["name"] for row in shown["workers"]] == ["a", "b-1", "b-2"]
    assert all(row["state"] == "running" and row["ready"] and row["pid"] for row in shown["workers"])
    assert len(project.processes()) >= 5
    assert "stopped" in project.down()
    assert project.all_gone(), project.processes()
    assert list((project.folder / "data" / "run").iterdir()) == [project.folder / "data" / "run" / "lock"]


def test_the_data_folder_is_private(project: Project) -> None:
    project.write({"workers": {"a": SLEEPER}})
    project.up()
    for path in (project.folder / "data").rglob("*"):
        mode = path.lstat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path} has {mode:o}"


def test_a_second_up_is_refused_and_names_the_first(project: Project) -> None:
    project.write({"workers": {"a": SLEEPER}})
    project.up()
    pid = project.pids()["supervisor"]
    assert f"already running, pid {pid}" in project.call("up", expect=6).stderr
    assert f"already running, pid {pid}" in project.call("up", "-d", expect=6).stderr
    assert project.running("a")


def test_down_without_up_says_so_and_is_content(project: Project) -> None:
    project.write({"workers": {"a": SLEEPER}})
    assert "not running" in project.down()
    error = json.loads(project.call("ps", "--json", expect=3).stderr)
    assert error["error"]["code"] == "not_running"


def test_stop_is_remembered_and_start_brings_back(project: Project) -> None:
    project.write({"workers": {"a": SLEEPER, "b": SLEEPER}})
    project.up()
    other = project.worker("b")["pid"]
    project.call("stop", "a")
    stopped = project.worker("a")
    assert stopped["state"] == "stopped" and stopped["pid"] is None and stopped["restarts"] == 0
    project.call("start", "a")
    assert project.running("a", 2)
    project.call("restart", "a")
    assert project.running("a", 3)
    assert project.worker("b")["pid"] == other
    assert "no worker 'c'" in project.call("stop", "c", expect=2).stderr


def test_ready_by_log_and_start_after(project: Project) -> None:
    first = {"command": ["sh", "-c", "echo warming; sleep 0.2; echo all set; sleep 1000"]}
    first["ready"] = {"type": "log", "pattern": "all set", "timeout": "30s"}
    project.write({"workers": {"late": {**SLEEPER, "start_after": {"first": "ready"}}, "first": first}})
    project.up()
    order = [item["worker"] for item in project.supervision("running")]
    assert order == ["first", "late"]


def test_a_worker_that_is_never_ready_fails_up(project: Project) -> None:
    never = {**SLEEPER, "ready": {"type": "log", "pattern": "x", "timeout": "60s"}}
    project.write({"workers": {"never": never, "a": SLEEPER}})
    done = project.call("up", "-d", "--wait-timeout", "5", expect=1)
    assert "never is starting" in done.stderr and "a is" not in done.stderr


def test_a_command_that_is_not_there_is_named(project: Project) -> None:
    project.write({"workers": {"ghost": {"command": ["/no/such/program"], "restart": "temporary"}}})
    project.call("up", "-d", expect=1)
    failed = project.supervision("start_failed", worker="ghost")
    assert "/no/such/program" in failed[0]["error"]


def test_ctrl_c_in_the_foreground_is_a_graceful_down(project: Project) -> None:
    project.write(
        {"workers": {"a": {"command": ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo hi; sleep 1000 & wait"]}}}
    )
    process = project.start_foreground()
    assert process.stdout is not None
    eventually(lambda: "hi" in process.stdout.readline(), "the worker's first line")
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "bye" in out and "SIGINT" in err
    assert project.all_gone()


def test_a_second_ctrl_c_kills(project: Project) -> None:
    stubborn = {"command": ["sh", "-c", "trap '' TERM; echo hi; while :; do sleep 1; done"], "stop": {"grace": "1h"}}
    project.write({"workers": {"a": stubborn}})
    process = project.start_foreground()
    assert process.stdout is not None
    eventually(lambda: "hi" in process.stdout.readline(), "the worker's first line")
    os.kill(process.pid, signal.SIGINT)
    eventually(lambda: project.supervision("intent", worker="a"), "the stop has begun")
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 1
    eventually(project.all_gone, "no process left")


def test_a_new_data_folder_is_nothing_for_git_and_one_that_was_there_is_left_alone(project: Project) -> None:
    subprocess.run(["git", "init", "-q"], cwd=project.folder, check=True)
    (project.folder / "kept").mkdir()
    for folder, told in (("data", ""), ("kept", "kept/")):
        project.write({"data_dir": folder, "workers": {"a": SLEEPER}})
        project.up()
        status = ["git", "status", "--porcelain", folder]
        assert told in subprocess.run(status, cwd=project.folder, capture_output=True, text=True, check=True).stdout
        assert (project.folder / folder / ".gitignore").exists() == (not told)
        project.down()


@pytest.mark.parametrize("data_dir", [".kortana/data", "${NOT_SET_HERE:-state}"])
def test_who_takes_part_beside_it_finds_a_tree_wherever_its_data_stands(project: Project, data_dir: str) -> None:
    (project.folder / "src").mkdir()
    project.write({"data_dir": data_dir, "workers": {"a": SLEEPER}})
    project.up()
    with AgentInterface("me", project_root=project.folder / "src", patience_s=PATIENCE_S) as me:
        assert me.claim_task("one")
    assert "held by me" in project.call("agent", "claim", "one", "--as", "you", expect=4).stderr
    (project.folder / "kortana.yaml").rename(project.folder / "team.yaml")
    words = ("agent", "run", "two", "--as", "you", "-f")
    assert project.call(*words, "team.yaml", "--", "true").returncode == 0
    assert project.call(*words, "there.yaml", "--", "true", expect=2).stderr


def test_exit_when_done_tells_whether_all_went_well(project: Project) -> None:
    shell = {"agent": "shell", "backoff": {"initial": "0s"}}
    tasks = [{"id": "one", "run": "echo 1"}, {"id": "two", "run": "echo 2", "depends_on": ["one"]}]
    project.write({"workers": {"w": shell}, "tasks": tasks})
    done = project.call("up", "--exit-when-done")
    assert "tasks: 2 completed" in done.stdout
    tasks[1]["run"] = "echo so wrong; exit 3"
    tasks[1]["max_attempts"] = 2
    project.write({"data_dir": "other", "workers": {"w": shell}, "tasks": tasks})
    done = project.call("up", "--exit-when-done", expect=1)
    assert "1 completed, 1 failed" in done.stdout
    assert "not completed:\n  two: quarantined: 2 attempts, the last: failed: exit code 3\n" in done.stdout
    assert project.all_gone()


@pytest.mark.parametrize(("workers", "tasks", "code", "told"), [
    ({"w": {"command": ["false"], "backoff": {"initial": "1ms", "max": "1ms"}, "intensity": 2}}, [{"id": "t"}], 1,
     ["w crashed: exit code 1 (", "w is given up: the restart budget of the worker is used up", "no worker is left"]),
    ({"w": {"command": ["true"], "restart": "temporary"}, "x": {"command": ["no such"], "restart": "temporary"}},
     [{"id": "t"}], 1, ["w has ended: exit code 0", "x could not start: cannot run no such", "no worker is left"]),
    ({"w": {"command": ["true"], "restart": "transient"}}, [], 0, ["w has ended: exit code 0", "no worker is left"]),
    ({"w": {"agent": "shell"}}, [
        {"id": "bad", "run": "exit 1", "max_attempts": 1},
        {"id": "t", "run": "$PY -m kortana agent block t --reason no --needs bad"},
     ], 1, ["w is blocked on t: no (needs bad)", "no task can go on"]),
])  # fmt: skip
def test_exit_when_done_ends_where_nothing_more_can_come(
    project: Project, workers: dict[str, Any], tasks: list[dict[str, Any]], code: int, told: list[str]
) -> None:
    for task in tasks:
        task["run"] = task.get("run", "true").replace("$PY", sys.executable)
    project.write({"workers": workers, "tasks": tasks})
    done = project.call("up", "--exit-when-done", expect=code)
    assert all(line in done.stdout for line in told), done.stdout


def test_a_task_that_no_worker_can_do_is_warned_of(project: Project) -> None:
    tasks = [{"id": "t", "requires": ["gpu"]}, {"id": "u", "requires": ["py"]}]
    project.write({"workers": {"w": {"command": ["sleep", "1000"], "capabilities": ["py", "x"]}}, "tasks": tasks})
    told = "warning: task t requires gpu, which no worker has\n"
    assert project.call("config", "check").stderr == told
    assert project.call("up", "-d").stderr == f"kortana: {told}"
    project.down()


def test_an_env_file_that_no_worker_could_start_with_is_warned_of(project: Project) -> None:
    project.write({"workers": {"w": {"command": ["sleep", "1000"], "env_file": ".env"}}})
    (project.folder / ".env").write_text("KEY=value\n")
    assert project.call("config", "check").stderr == ""
    (project.folder / ".env").write_text("KEY=value\nnonsense\n")
    warned = project.call("config", "check").stderr
    assert warned.startswith("warning: worker w cannot start: ") and ".env:2: KEY=value is needed" in warned


def test_the_repositorys_own_team_starts_from_init(project: Project) -> None:
    project.call("init")
    assert (project.folder / "kortana.yaml").exists()
    project.call("config", "check")
    project.up()
    assert project.json("ps")["workers"]
    again = project.call("init", expect=1)
    assert "kortana.yaml" in again.stderr


@pytest.mark.parametrize(("there", "expected"), [
    ((), "data"), ((".gitignore",), "data"), (("coordination_events.jsonl",), "data"), (("set.csv",), ".kortana/data"),
])  # fmt: skip
def test_init_leaves_a_data_folder_of_the_projects_own_alone(
    project: Project, there: tuple[str, ...], expected: str
) -> None:
    for name in there:
        (project.folder / "data").mkdir(exist_ok=True)
        (project.folder / "data" / name).touch()
    project.call("init")
    assert Path(project.json("config", "show")["data_dir"]) == project.folder / expected
    assert {path.name for path in project.folder.glob("data/*")} == set(there)


def test_a_python_worker_has_the_signals_of_any_python_program(project: Project) -> None:
    """A reader that is gone is an exception, and SIGINT is one too; what it starts has the system's defaults."""
    code = """
        import os, subprocess, time

        def run(agent):
            read_end, write_end = os.pipe()
            os.close(read_end)
            try:
                os.write(write_end, b"x")
            except BrokenPipeError:
                print("broken pipe", flush=True)
            print("child:", subprocess.run(["sh", "-c", "kill -PIPE $$"]).returncode, flush=True)
            print("waiting", flush=True)
            try:
                time.sleep(1000)
            except KeyboardInterrupt:
                print("interrupted", flush=True)
        """
    ready = {"type": "log", "pattern": "waiting"}
    project.write(
        {"workers": {"w": {"entrypoint": "signals:run", "ready": ready, "stop": {"signal": "SIGINT"}}}},
        signals__py=textwrap.dedent(code),
    )
    project.up()
    project.down()
    said = [line.split(" ", 2)[-1] for line in project.log("w").splitlines()]
    assert said == ["broken pipe", "child: -13", "waiting", "interrupted"]


SHADOWS = (
    "click", "enum", "json", "kortana", "logging", "loguru", "msgspec", "multiprocessing", "pickle", "psutil", "pykka",
    "queue", "random", "selectors", "signal", "socket", "struct", "subprocess", "tempfile", "threading", "types",
    "yaml",
)  # fmt: skip
MINE = """
import colorsys, os
def run(agent):
    with agent.claim("mine", wait=60) as task:
        task.result = [colorsys.MINE, os.environ.get("PYTHONSAFEPATH")]
"""


@pytest.mark.parametrize("detached", [True, False])
def test_a_projects_own_modules_are_nothing_to_kortana(project: Project, detached: bool) -> None:
    """`types.py` in a repository's root is not Python's, but for the project's own workers."""
    for name in SHADOWS:
        (project.folder / f"{name}.py").write_text("raise RuntimeError('not for Kortana')\n")
    (project.folder / "own" / "src").mkdir(parents=True)
    (project.folder / "own" / "colorsys.py").write_text("MINE = 'mine'\n")
    (project.folder / "own" / "src" / "mine.py").write_text(MINE)
    python = {"entrypoint": "mine:run", "cwd": "own", "env": {"PYTHONPATH": "src"}, "restart": "temporary"}
    workers = {"shell": {"agent": "shell"}, "python": python}
    project.write({"workers": workers, "tasks": [{"id": "t", "run": "true"}, {"id": "mine"}]})
    if detached:
        project.up()
        eventually(lambda: project.task_counts() == {"completed": 2}, "all is done")
        project.down()
    else:
        project.call("up", "--exit-when-done")
    assert project.task("mine")["result"] == ["mine", None]


@pytest.mark.parametrize("data_dir", ["data", ".kortana/data"])
def test_a_tree_whose_kortana_yaml_is_gone_can_be_seen_and_ended(project: Project, data_dir: str) -> None:
    """Another branch is checked out, say, which has none."""
    project.write({"data_dir": data_dir, "workers": {"w": {"command": ["sleep", "1000"]}}, "tasks": [{"id": "t"}]})
    project.up()
    (project.folder / "kortana.yaml").unlink()
    below = project.folder / "src"
    below.mkdir()
    for words in (("ps",), ("tasks", "list"), ("agent", "claim", "t", "--as", "me"), ("ps", "-f", "../kortana.yaml")):
        done = subprocess.run([KORTANA, *words], cwd=below, env=project.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "there is no file" in project.call("up", expect=2).stderr
    assert "stopped" in project.call("down").stdout and project.all_gone()
    assert "there is no" in project.call("down", expect=2).stderr
