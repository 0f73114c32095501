"""A person edits task_graph.json while nothing runs; damaged data stops `up`, and fsck mends it."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.project import Project, eventually

TASKS = [{"id": "a"}, {"id": "b", "depends_on": ["a"]}, {"id": "c"}]


@pytest.fixture
def graph(project: Project) -> Path:
    """A tree that ran, with `a` completed, `b` quarantined and `c` held by a guest, and is down again."""
    worker = {"w": {"command": ["sleep", "1000"]}}
    project.write({"workers": worker, "tasks": TASKS, "coordinator": {"max_attempts": 1}})
    project.up()
    for words in (
        ("claim", "a"), ("update", "a", "completed"), ("claim", "b"), ("update", "b", "failed"), ("claim", "c"),
    ):  # fmt: skip
        project.call("agent", *words, "--as", "guest")
    assert project.task("b")["quarantined"] and project.task("c")["owner"] == "guest"
    project.down()
    return project.folder / "data" / "task_graph.json"


def edit(path: Path, **tasks: dict | None) -> None:
    found = json.loads(path.read_text())
    for name, fields in tasks.items():
        if fields is None:
            del found["tasks"][name]
        else:
            found["tasks"].setdefault(name, {"id": name}).update(fields)
    path.write_text(json.dumps(found, indent=1))


def test_edits_are_taken_over_as_journaled_events_and_told(project: Project, graph: Path) -> None:
    edit(graph, b={"status": "pending", "quarantined": False}, c={"owner": None, "status": "pending"},
         d={"title": "New", "depends_on": ["a"], "priority": 90})  # fmt: skip
    process = project.start_foreground()
    assert process.stderr is not None
    told = [process.stderr.readline() for _ in range(3)]
    assert all("task_graph.json: took over the edit of" in line for line in told), told
    eventually(lambda: (project.folder / "data" / "run" / "endpoint.json").exists(), "it is up")
    eventually(lambda: project.json("ps")["workers"][0]["state"] == "running", "the worker runs")
    assert [project.task(n)["status"] for n in "abcd"] == ["completed", "pending", "pending", "pending"]
    assert project.task("b")["attempts"] == 0 and project.task("c")["owner"] is None
    edits = [r for r in project.journal() if r["event_type"] == "OPERATOR_EDIT"]
    assert {r["task_id"] for r in edits} == {"b", "c", "d"} and all(r["source"] == "operator" for r in edits)
    project.down()
    process.communicate()
    project.up()
    assert len([r for r in project.journal() if r["event_type"] == "OPERATOR_EDIT"]) == 3, "taken over once"
    project.down()
    project.call("replay", "--verify")


def test_a_removed_task_is_gone_and_what_depends_on_it_forbids_it(project: Project, graph: Path) -> None:
    edit(graph, a=None)
    refused = project.call("up", "-d", expect=2)
    assert re.search(r"task_graph.json:\d+: tasks.a: needed by b", refused.stderr), refused.stderr
    edit(graph, b=None)
    project.write({"workers": {"w": {"command": ["sleep", "1000"]}}})
    project.up()
    assert [task["id"] for task in project.json("tasks", "list")["tasks"]] == ["c"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"version":1,"seq":3', r"task_graph.json:1: not JSON"),
        ({"b": {"status": "done"}}, r"task_graph.json:\d+: tasks.b: status: one of pending"),
        ({"c": {"owner": "someone"}}, r"tasks.c: owner: can only be cleared"),
        ({"c": {"colour": "red"}}, r"tasks.c: colour: is not a field"),
        ({"c": {"depends_on": ["c"]}}, r"tasks.c: depends_on: it would depend on itself"),
        ({"a": {"priority": "high"}}, r"tasks.a: .*`int`"),
    ],
    ids=["not json", "status", "owner", "field", "cycle", "type"],
)  # fmt: skip
def test_a_wrong_edit_stops_up_with_its_place_and_changes_nothing(
    project: Project, graph: Path, text: object, what: str
) -> None:
    journal = (project.folder / "data" / "coordination_events.jsonl").read_bytes()
    if isinstance(text, str):
        graph.write_text(text)
    else:
        edit(graph, **text)  # type: ignore[arg-type]
    before = graph.read_bytes()
    refused = project.call("up", "-d", expect=2)
    assert re.search(what, refused.stderr), refused.stderr
    assert (project.folder / "data" / "coordination_events.jsonl").read_bytes() == journal
    assert graph.read_bytes() == before
    assert not project.processes()


def test_damage_stops_up_with_code_7_and_fsck_mends_it(project: Project, graph: Path) -> None:
    journal = project.folder / "data" / "coordination_events.jsonl"
    (project.folder / "data" / "checkpoint.json").unlink()
    data = bytearray(journal.read_bytes())
    data[data.index(b"guest")] ^= 1
    journal.write_bytes(data)
    refused = project.call("up", "-d", expect=7)
    assert "coordination_events.jsonl, offset" in refused.stderr and "fsck --repair" in refused.stderr
    assert "one bit of this record has flipped" in project.call("fsck", expect=7).stdout
    assert "flipped back" in project.call("fsck", "--repair").stdout
    project.call("replay", "--verify")
    project.up()


def test_of_many_ups_at_once_one_runs_and_the_others_name_it(project: Project) -> None:
    import subprocess
    import sys

    project.write({"workers": {"w": {"command": ["sleep", "1000"]}}})
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "kortana", "up", "-d"], cwd=project.folder, env=project.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    ends = [(process.communicate(timeout=60), process.returncode) for process in racers]
    assert sorted(code for _, code in ends) == [0, 6, 6, 6], ends
    pid = project.pids()["supervisor"]
    assert all(f"pid {pid}" in err for (_, err), code in ends if code == 6), ends
