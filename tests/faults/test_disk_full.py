"""A disk with no room left: a small tmpfs of its own under data/."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project, eventually


@pytest.fixture
def disk(project: Project) -> Iterator[Path]:
    data = project.folder / "data"
    data.mkdir(mode=0o700)
    words = ["mount", "-t", "tmpfs", "-o", "size=6m,mode=0700", "tmpfs", str(data)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("SKIPPED: no small disk can be mounted here")
    yield data
    project.clean_up()
    subprocess.run(["umount", "-l", str(data)], check=True)


def fill(disk: Path) -> Path:
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


def refused_for_want_of_room(project: Project) -> bool:
    """One claim after another until the journal has hit the end of the disk."""
    client = project.connect()
    try:
        client.hello("raw")
        for _ in range(50):
            answer = client.ask("TASK_CLAIM", "t", details="x" * 2000)
            if answer["reason"] == "unavailable":
                assert "space" in answer["result"]["detail"]
                return True
            client.ask("TASK_RELEASE", "t")
    except (AssertionError, OSError):
        return False
    finally:
        client.close()
    return False


def test_a_full_disk_refuses_writers_serves_readers_and_goes_on_by_itself(project: Project, disk: Path) -> None:
    project.write({"workers": {"a": {"command": ["sleep", "1000"]}}, "tasks": [{"id": "t"}]})
    project.up()
    worker = project.worker("a")
    filler = fill(disk)
    eventually(lambda: refused_for_want_of_room(project), "a writer is told `unavailable`")
    assert project.worker("a")["pid"] == worker["pid"]
    assert project.json("why", "t")["task"] == "t"
    filler.unlink()
    eventually(lambda: claim(project), "claims are granted again")
    assert project.worker("a")["pid"] == worker["pid"]
    project.down()
    assert project.audit().violations == []
    project.call("replay", "--verify")


def claim(project: Project) -> bool:
    return project.call("agent", "claim", "t", "--as", "late", expect=None).returncode == 0


def test_a_person_is_told_and_what_was_asked_in_that_very_moment_is_not_forgotten(project: Project, disk: Path) -> None:
    project.write({"workers": {}})
    project.up()
    filler = fill(disk)
    tasks = [{"id": f"t{number}", "prompt": "x" * 2000} for number in range(100)]
    (project.folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
    refused = project.call("tasks", "import", "tasks.jsonl", expect=4)
    assert "t99: refused: unavailable" in refused.stderr or "more" in refused.stderr
    assert "No space left" in refused.stderr and "no answer" not in refused.stderr
    filler.unlink()
    eventually(lambda: project.call("tasks", "import", "tasks.jsonl", expect=None).returncode == 0, "room again")
    assert len(project.json("tasks", "list")["tasks"]) == 100
    project.down()


def test_down_works_on_a_full_disk(project: Project, disk: Path) -> None:
    project.write({"workers": {"a": {"command": ["sleep", "1000"]}}, "tasks": [{"id": "t"}]})
    project.up()
    fill(disk)
    eventually(lambda: refused_for_want_of_room(project), "a writer is told `unavailable`")
    project.down()
    assert project.all_gone()
