"""A worker that starts a Kortana of its own, as an agent does that works on a project with one in it."""

import sys

from tests.e2e.project import KORTANA, Project, eventually

INNER = """
import subprocess, sys, time
from kortana import AgentInterface

def kortana(*words):
    done = subprocess.run([sys.executable, "-m", "kortana", *words, "-f", "inner/kortana.yaml"], capture_output=True,
                          text=True)
    print(words, done.returncode, done.stdout.strip(), done.stderr.strip(), flush=True)

kortana("up", "-d")
kortana("tasks", "add", "there")
kortana("agent", "claim", "there")
with AgentInterface(project_root="inner") as guest:
    print("again", bool(guest.claim_task("there")), flush=True)
with AgentInterface() as worker:
    print("here", bool(worker.claim_task("outside")), flush=True)
kortana("agent", "run", "and-run", "--", sys.executable, "-c",
        "from kortana import AgentInterface; print(bool(AgentInterface().claim_task('and-run')))")
if "stays" in sys.argv:
    time.sleep(1000)
kortana("down")
"""


def project_in_project(project: Project, *arguments: str) -> None:
    (project.folder / "inner").mkdir()
    (project.folder / "inner" / "kortana.yaml").write_text(
        "version: 1\nworkers: {w: {command: [sleep, '1000'], stop: {grace: 1s}}}\n"
    )
    worker = {"command": [sys.executable, "inner.py", *arguments], "restart": "temporary"}
    project.write({"workers": {"boss": worker}}, inner__py=INNER)


def test_a_worker_is_the_operator_of_a_kortana_of_its_own_and_its_agent_by_name(project: Project) -> None:
    project_in_project(project)
    project.up()
    eventually(lambda: project.worker("boss")["state"] == "exited")
    lines = [line.split(" ", 2)[2] for line in project.log("boss").splitlines()]
    assert "('up', '-d') 0 inner is up" in lines[0]
    assert lines[1].startswith("('tasks', 'add', 'there') 0")
    assert lines[2].startswith("('agent', 'claim', 'there') 0 there ")
    assert lines[3:5] == ["again True", "here True"]
    assert lines[5].startswith("('agent', 'run', 'and-run'") and " 0 True" in lines[5]
    assert lines[6].startswith("('down',) 0")
    assert project.task("outside")["history"][0]["source"] == "boss"


def test_what_a_worker_has_started_with_a_kortana_of_its_own_ends_with_it(project: Project) -> None:
    project_in_project(project, "stays")
    project.up()
    eventually(lambda: "and-run" in project.log("boss"))
    project.down()
    assert project.all_gone()


def test_a_child_that_was_started_without_its_environment_speaks_as_its_worker(project: Project) -> None:
    script = f'env -i "PATH=$PATH" {KORTANA} agent claim t; sleep 1000'
    project.write({"workers": {"w": {"command": ["sh", "-c", script]}}, "tasks": [{"id": "t"}]})
    project.up()
    owner = eventually(lambda: project.task("t")["owner"], "it has claimed")
    grants = [record["target"] for record in project.journal() if "lease" in record["payload"]]
    assert owner == "w" and grants == ["w"]
