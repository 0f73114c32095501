"""Arguments that cannot be meant: each is refused in one line, with exit code 2 or 4, and nothing happens."""

import pytest

from tests.e2e.project import Project

LONG = "q" * 70_000
WRONG = [
    (("up", "-d", "--wait-timeout", "nan"), 2, "no number of seconds"),
    (("down", "--timeout", "1e9"), 2, "no number of seconds"),
    (("agent", "claim", "--wait", "nan", "--as", "me"), 2, "a number is needed"),
    (("agent", "claim", "x", "--ttl", "inf", "--as", "me"), 2, "a number is needed"),
    (("agent", "send", "all", LONG, "--as", "me"), 4, "more than 65536 bytes"),
    (("tasks", "add", "x", "--title", LONG), 2, "at most 65536 can be sent"),
    (("tasks", "add", "x", "--lease-ttl", "soon"), 2, "--lease-ttl: a duration is needed"),
    (("tasks", "add", "no name"), 4, "task_id: 1 to 64"),
    (("tasks", "show", "\udcff"), 2, "this cannot be sent"),
    (("tasks", "import", "binary"), 2, "binary: no UTF-8"),
    (("why", "\udcff"), 2, "this cannot be sent"),
    (("config", "explain", "coordinator.leasettl"), 2, "did you mean coordinator.lease_ttl?"),
    (("events", "--since", "then"), 2, "a time like 2026-11-23T02:43:01Z"),
]


@pytest.mark.timeout(300)
def test_each_is_refused_in_one_line(project: Project) -> None:
    project.write({"workers": {}})
    (project.folder / "binary").write_bytes(b"\xff\x00")
    project.up()
    for words, code, told in WRONG:
        said = project.call(*words, expect=code).stderr
        assert told in said and "Traceback" not in said, (words, said)
    assert project.json("tasks", "list")["tasks"] == []
    project.call("tasks", "add", "x", "--lease-ttl", "5m")
    project.call("tasks", "add", "y", "--lease-ttl", "30")
    assert [task["ttl_s"] for task in project.json("tasks", "list")["tasks"]] == [300.0, 30.0]
