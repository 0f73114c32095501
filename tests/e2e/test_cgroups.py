"""Cgroups that take no process, and those that workers make below their own."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.processes import cgroup
from tests.e2e.project import KORTANA, PATIENCE_S, Project, eventually


@pytest.fixture
def place() -> Iterator[Path]:
    """A cgroup to begin a Kortana in."""
    own = cgroup.own_folder()
    if own is None or not os.access(own, os.W_OK) or not (own / "cgroup.subtree_control").exists():
        pytest.skip("SKIPPED: no cgroup v2 can be written to here")
    folder = own / f"place-{uuid.uuid4().hex}"
    folder.mkdir()
    yield folder
    cgroup.kill_all(folder)
    eventually(lambda: not cgroup.is_populated(folder), "nothing in it")
    assert cgroup.remove(folder)


@pytest.mark.parametrize("why", ["threads", "namespace"])
def test_where_cgroups_take_no_process_workers_run_without(project: Project, place: Path, why: str) -> None:
    """Beside a threaded cgroup, as beside processes where the controller of pids is handed down, the kernel puts none
    into another one; some kernels put none into one beyond the namespace, where more than that is mounted."""
    within = ["unshare", "--cgroup"] if why == "namespace" else []
    if why == "threads":
        (place / "threads").mkdir()
        (place / "threads" / "cgroup.type").write_text("threaded")
    elif subprocess.run([*within, "true"], capture_output=True, check=False).returncode:
        pytest.skip("SKIPPED: no namespace can be made here")
    project.write({"workers": {"w": {"command": ["sh", "-c", "setsid sleep 1000 & sleep 1000"]}}})
    words = ["sh", "-c", 'echo $$ > "$0"/cgroup.procs && exec "$@"', str(place), *within, KORTANA, "up", "-d"]
    subprocess.run(words, cwd=project.folder, env=project.env, timeout=PATIENCE_S, check=True)
    worker = project.worker("w")
    assert worker["state"] == "running"
    assert why == "namespace" or place.name in Path(f"/proc/{worker['pid']}/cgroup").read_text()
    project.down()
    assert project.all_gone() and not list(place.glob("kortana-*"))


def test_cgroups_that_a_worker_made_go_with_its_own(project: Project, place: Path) -> None:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    mounted = str(place.parent).removesuffix(next(line[3:] for line in lines if line.startswith("0::")).rstrip("/"))
    below = f'mkdir -p "{mounted}$(sed -n s/^0:://p /proc/self/cgroup)/made/deeper"; exec sleep 1000'
    project.write({"workers": {"w": {"command": ["sh", "-c", below]}}})
    project.up()
    run = Path(json.loads((project.folder / "data" / "run" / "processes.json").read_text())["cgroup"])
    eventually(lambda: list(run.glob("*/made/deeper")), "it has made them")
    project.down()
    assert not run.exists()
