"""Ways to die, and what `crashes show` says of each: a person can name the cause from it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from kortana.processes.limits import available
from tests.e2e.project import Project, eventually

ENTRY = """
import faulthandler, os, signal, sys, time
def exception(agent):
    secret = "sk-abcdefghijklmnop1234"
    try:
        {}["missing"]
    except KeyError as error:
        failure = ValueError(f"no key for password=hunter2 {secret}")
        failure.add_note("while reading the table")
        raise failure from error
def group(agent):
    raise ExceptionGroup("several", [OSError(2, "gone"), ValueError("bad")])
def exits(agent):
    sys.exit(3)
def segv(agent):
    faulthandler._sigsegv()
def hang(agent):
    agent.claim_task("job")
    print("hanging now", flush=True)
    while True:
        time.sleep(1000)
def overflow(agent):
    def deeper(n):
        return deeper(n + 1) + 1
    deeper(0)
def greedy(agent):
    held = []
    while True:
        held.append(bytearray(8 << 20))
def fine(agent):
    agent.claim_task("job")
    time.sleep(1000)
"""


def record_of(project: Project, worker: str) -> dict[str, Any]:
    """The one record of a worker that died once."""

    def found() -> list[dict[str, Any]]:
        paths = sorted((project.folder / "data" / "crashes").glob(f"*-{worker}-*.json"))
        return [json.loads(path.read_text()) for path in paths]

    eventually(found, f"a record of {worker}")
    records = found()
    assert len(records) == 1, [record["id"] for record in records]
    return records[0]


def die(project: Project, worker: dict[str, Any], **files: str) -> tuple[dict[str, Any], str]:
    """Runs one worker until it is dead; gives its record and what a person is shown."""
    project.write({"workers": {"w": {"restart": "temporary", **worker}}}, ways__py=ENTRY, **files)
    project.call("up", "-d", expect=None)
    record = record_of(project, "w")
    return record, project.call("crashes", "show", record["id"]).stdout


WAYS = {
    "exception": ({"entrypoint": "ways:exception"}, "exception", ["ValueError", "KeyError", "while reading the table"]),
    "group": ({"entrypoint": "ways:group"}, "exception", ["ExceptionGroup", "gone", "bad"]),
    "sys.exit": ({"entrypoint": "ways:exits"}, "exit", ["sys.exit(3)", "exit code 3"]),
    "SIGSEGV": ({"entrypoint": "ways:segv"}, "fatal_signal", ["SIGSEGV", "in segv"]),
    "stack overflow": ({"entrypoint": "ways:overflow"}, "stack_overflow", ["RecursionError", "in deeper"]),
    "missing command": ({"command": ["/no/such/program"]}, "could_not_start", ["/no/such/program", "no such command"]),
    "quota": (
        {"command": ["sh", "-c", "echo out of tokens; exit 75"], "quota_delay": "1h"}, "quota", ["parked for 3600"],
    ),
    "command": (
        {"command": ["sh", "-c", "echo begun; echo 'Error: no database at 10.0.0.7' >&2; exit 9"]}, "exit",
        ["exit code 9", "no database at"],
    ),
    "not ready": (
        {"command": ["sleep", "1000"], "ready": {"type": "tcp", "port": 1, "timeout": "2s"}}, "not_ready",
        ["not ready in time", "the last probe of 127.0.0.1:1: Connection refused"],
    ),
    "hang": (
        {"entrypoint": "ways:hang", "liveness": {"heartbeat_timeout": "1s"}}, "hung",
        ["heartbeat timeout", "in hang", "hanging now", "job (token"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_person_can_name_the_cause(project: Project, way: str) -> None:
    worker, verdict, told = WAYS[way]
    record, shown = die(project, worker)
    assert record["verdict"] == verdict, shown
    for words in told:
        assert words in shown, (words, shown)
    assert "hunter2" not in json.dumps(record) and "sk-abcdef" not in json.dumps(record)
    assert "KORTANA_TOKEN" in record["environment_names"]
    row = project.worker("w")
    assert row["last_exit"]["crash_id"] == record["id"]
    events = ("exited",) if way == "quota" else ("crashed", "start_failed")
    assert [e for e in project.supervision() if e["event"] in events and e["crash_id"] == record["id"]]


def test_sigkill_by_somebody_and_its_task(project: Project) -> None:
    project.write({"workers": {"w": {"entrypoint": "ways:fine", "backoff": {"initial": "0s", "max": "0s"}}},
                   "coordinator": {"max_attempts": 1}}, ways__py=ENTRY)  # fmt: skip
    project.up()
    eventually(lambda: project.worker("w")["task_id"] == "job", "it holds the task")
    os.kill(project.worker("w")["pid"], signal.SIGKILL)
    record = record_of(project, "w")
    assert record["verdict"] == "killed" and record["signal"] == "SIGKILL"
    assert record["task"]["task"] == "job" and record["task"]["token"] > 0
    assert [e["event_type"] for e in record["events"]].count("TASK_CLAIM") == 1
    assert record["restart"]["delay_s"] == 0
    job = eventually(lambda: project.task("job")["quarantined"] and project.task("job"), "quarantined")
    assert job["crashes"] == [record["id"]]
    assert record["id"] in json.dumps(project.journal())
    assert "somebody killed it" in project.call("crashes", "explain", "w").stdout
    groups = project.json("crashes")["groups"]
    assert groups[0]["count"] == 1 and groups[0]["ids"] == [record["id"]] and groups[0]["tasks"] == ["job"]


@pytest.mark.skipif(not available("memory"), reason="SKIPPED: no memory controller can be used here")
def test_out_of_memory_is_told_only_with_the_counter_that_shows_it(project: Project) -> None:
    record, shown = die(project, {"entrypoint": "ways:greedy", "limits": {"memory": "64MiB"}})
    assert record["verdict"] == "out_of_memory", shown
    assert any("oom_kill 1" in line for line in record["evidence"])


@pytest.mark.skipif(not available("pids"), reason="SKIPPED: no pids controller can be used here")
def test_a_fork_bomb_stays_within_its_limit_and_ends_with_its_worker(project: Project) -> None:
    bomb = "echo begun; b() { sleep 1000 & b; }; b; sleep 1000"
    project.write({"workers": {"w": {"command": ["sh", "-c", bomb], "limits": {"pids": 20}, "restart": "never"}}})
    project.call("up", "-d", expect=None)
    eventually(lambda: "begun" in project.log("w"), "it has begun")
    assert sum("sleep 1000" in line for line in project.processes().values()) <= 20
    project.call("stop", "w")
    eventually(lambda: not any("sleep 1000" in line for line in project.processes().values()), "all gone")


def test_the_same_death_is_one_group(project: Project) -> None:
    crash = {"command": ["sh", "-c", "echo pid $$$$ failed at $(date +%N); exit 4"], "intensity": 3}
    project.write({"workers": {"w": {**crash, "backoff": {"initial": "0s", "max": "0s"}}}})
    project.call("up", "-d", expect=None)
    eventually(lambda: project.worker("w")["state"] == "failed", "giving up")
    eventually(lambda: sum(group["count"] for group in project.json("crashes")["groups"]) == 4, "the last record too")
    assert len(project.json("crashes")["groups"]) == 1
    explained = project.call("crashes", "explain", "w").stdout
    assert "gave up" in explained and "until `kortana start w`" in explained
    project.call("start", "w", expect=None)
    assert project.worker("w")["incarnation"] > 4, "a worker that gave up comes back with start"


def test_a_killed_supervisor_is_recorded_at_the_next_up(project: Project) -> None:
    project.write({"workers": {"w": {"command": ["sleep", "1000"]}}})
    project.up()
    os.kill(project.pids()["supervisor"], signal.SIGKILL)
    eventually(project.all_gone, "every process gone")
    project.up()
    groups = project.json("crashes")["groups"]
    assert [group["verdict"] for group in groups] == ["supervisor_died"]


def test_intended_ends_leave_no_record(project: Project) -> None:
    project.write(
        {"workers": {"w": {"command": ["sleep", "1000"]}, "done": {"command": ["true"], "restart": "transient"}}}
    )
    project.call("up", "-d", expect=None)
    project.call("restart", "w")
    project.call("stop", "w")
    project.down()
    assert not list(Path(project.folder / "data").glob("crashes/*.json"))
    assert project.call("crashes").stdout.strip() == "no crashes"
