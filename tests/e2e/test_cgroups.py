"""Cgroups that take no process: those below one with threads in it, or with processes and a controller of pids."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.processes import cgroup
from tests.e2e.project import KORTANA, PATIENCE_S, Project, eventually


@pytest.fixture
def barren() -> Iterator[Path]:
    """A cgroup that has processes, and below which no other may have any."""
    own = cgroup.own_folder()
    if own is None or not os.access(own, os.W_OK) or cgroup.CgroupTree.create("probe") is None:
        pytest.skip("SKIPPED: no cgroup v2 can be written to here")
    cgroup.remove(own / "kortana-probe")
    folder = own / f"barren-{uuid.uuid4().hex}"
    (folder / "threads").mkdir(parents=True)
    (folder / "threads" / "cgroup.type").write_text("threaded")
    yield folder
    cgroup.kill_all(folder)
    eventually(lambda: not cgroup.is_populated(folder), "nothing in it")
    for below in (*folder.glob("*/"), folder):
        cgroup.remove(below)


def test_where_cgroups_take_no_process_workers_run_without(project: Project, barren: Path) -> None:
    worker = {"command": ["sh", "-c", "setsid sleep 1000 & sleep 1000"], "stop": {"grace": "1s"}}
    project.write({"workers": {"w": worker}})
    words = ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', str(barren), KORTANA, "up", "-d"]
    subprocess.run(words, cwd=project.folder, env=project.env, timeout=PATIENCE_S, check=True)
    assert project.worker("w")["state"] == "running"
    assert barren.name in Path(f"/proc/{project.worker('w')['pid']}/cgroup").read_text()
    project.down()
    assert project.all_gone() and not list(barren.glob("kortana-*"))
