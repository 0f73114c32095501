"""`logs -f` and `events -f`: from before the first `up` on, over folders that go and come, nothing twice."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.project import Project, eventually

CHATTY = {"command": ["sh", "-c", "echo here I am; exec sleep 1000"]}


@contextmanager
def following(project: Project, *words: str) -> Iterator[list[str]]:
    """The lines of a command that goes on, as they come."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kortana", *words], cwd=project.folder, env=project.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
    reader.start()
    try:
        yield lines
    finally:
        process.kill()
        process.wait()
        reader.join()


@pytest.mark.timeout(180)
def test_both_begin_before_the_first_up_and_outlive_the_data_folder(project: Project) -> None:
    project.write({"workers": {"a": CHATTY}})
    with following(project, "logs", "-f") as logs, following(project, "events", "-f", "--json") as events:
        for times in (1, 2):
            project.up()
            eventually(lambda times=times: sum("a | here I am" in line for line in logs) == times, "the worker's line")
            eventually(lambda: any('"AGENT_UP"' in line for line in events), "its start")
            project.down()
            shutil.rmtree(project.folder / "data")
            events.clear()
    assert not any("Traceback" in line for line in (*logs, *events))


@pytest.mark.timeout(180)
def test_a_worker_that_comes_later_is_followed_too(project: Project) -> None:
    project.write({"workers": {"a": {**CHATTY, "replicas": 1}}})
    project.up()
    with following(project, "logs", "-f") as logs:
        assert eventually(lambda: "a   | here I am\n" in logs or "a | here I am\n" in logs, "the first")
        project.write({"workers": {"a": CHATTY, "late": CHATTY}})
        project.call("apply")
        assert eventually(lambda: "late | here I am\n" in logs, "the new one")


@pytest.mark.timeout(180)
def test_events_are_shown_once_each_while_they_come(project: Project) -> None:
    project.write({"workers": {}})
    project.up()
    for number in range(5):
        project.call("tasks", "add", f"before{number}")
    with following(project, "events", "-f", "--since", "0", "--json") as events:
        for number in range(10):
            project.call("tasks", "add", f"after{number}")
        eventually(lambda: any("after9" in line for line in events), "the last one")
    seqs = [json.loads(line)["seq"] for line in events]
    assert seqs == list(range(1, len(seqs) + 1))


def test_the_last_lines_go_back_into_what_was_rotated_away(project: Project) -> None:
    script = "for i in $(seq 1000); do echo line $$i; done; sleep 0.1; echo over; exec sleep 1000"
    a = {"command": ["sh", "-c", script], "logs": {"rotate_size": "2000B", "keep": 20}}
    project.write({"workers": {"a": a}})
    project.up()
    eventually(lambda: "over" in project.log("a"), "all is written")
    shown = project.call("logs", "a", "-n", "100").stdout.splitlines()
    assert shown == [f"a | line {number}" for number in range(902, 1001)] + ["a | over"]


def test_a_place_in_the_journal_may_be_a_time_in_any_zone(project: Project) -> None:
    project.write({"workers": {}})
    project.up()
    project.call("tasks", "add", "t")
    project.down()
    records = [json.loads(line) for line in project.call("events", "--since", "0", "--json").stdout.splitlines()]
    second = records[0]["recorded_at"][:19]
    for since in (f"{second}Z", f"{second}+00:00", "1h", second[:10] + "T00:00:00+14:00"):
        assert len(project.call("events", "--since", since, "--json").stdout.splitlines()) == len(records), since
    assert project.call("events", "--since", "0s").stdout == ""
    assert json.loads(project.call("replay", "--verify", "--until", "2", "--json").stdout)["records"] == 2
    adds = project.call("events", "--type", "task_add", "--json").stdout.splitlines()
    assert {json.loads(line)["event_type"] for line in adds} == {"TASK_ADD"}
    assert "'nope' is not one of" in project.call("events", "--type", "nope", expect=2).stderr
