"""kill -9 of everything: what is freed, what comes back, and that nothing is left over."""

import os
import resource
import signal
import subprocess
import sys

import pytest

from tests.e2e.project import KORTANA, Project, eventually

HOLDER = """
import os, sys, time
def run(agent):
    with agent.claim("job", wait=60) as task:
        print("holding", task.token, flush=True)
        time.sleep(1000)
"""
WAITER = """
def run(agent):
    answer = agent.claim_task("job", wait=600)
    print("took over", answer.accepted, flush=True)
    agent.update_task_status("job", "completed")
    agent.receive()
"""
NASTY = "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 3000' & echo grandchild $!; while :; do sleep 1; done"


def test_a_worker_that_leaves_for_its_quota_costs_its_task_nothing(project: Project) -> None:
    script = f"{KORTANA} agent claim t && exit 75"
    team = {"w": {"command": ["sh", "-c", script], "quota_delay": "1h"}}
    project.write({"workers": team, "tasks": [{"id": "t", "max_attempts": 1}]})
    project.call("up", "-d", expect=None)
    eventually(lambda: project.worker("w")["state"] == "parked")
    task = project.task("t")
    assert (task["status"], task["attempts"], task["crashes"]) == ("pending", 0, [])


def test_the_task_of_a_killed_worker_is_taken_over_at_once(project: Project) -> None:
    config = {
        "workers": {
            "holder": {
                "entrypoint": "holder:run", "restart": "never", "ready": {"type": "log", "pattern": "holding"},
            },
            "waiter": {"entrypoint": "waiter:run", "start_after": {"holder": "ready"}, "restart": "never"},
        }
    }  # fmt: skip
    project.write(config, holder__py=HOLDER, waiter__py=WAITER)
    project.up()
    eventually(lambda: "holding" in project.log("holder"), "the holder claims")
    eventually(lambda: project.json("why", "job")["causes"], "a chain of causes")
    os.kill(project.worker("holder")["pid"], signal.SIGKILL)
    eventually(lambda: project.task("job")["status"] == "completed", "the waiter completes it")
    kinds = [record["event_type"] for record in project.journal() if record["task_id"] == "job"]
    assert "LEASE_RELEASED" in kinds and "LEASE_EXPIRED" not in kinds
    job = project.task("job")
    assert job["attempts"] == 1
    assert not project.audit().violations
    exit_of = project.worker("holder")["last_exit"]
    assert exit_of["signal"] == "SIGKILL" and exit_of["code"] is None


def test_a_crashed_worker_comes_back_within_its_budget_and_then_fails_loudly(project: Project) -> None:
    crash = {"command": ["sh", "-c", "echo try $KORTANA_INCARNATION; exit 3"], "intensity": 2}
    crash["backoff"] = {"initial": "0s", "max": "0s"}
    project.write({"workers": {"crash": crash, "calm": {"command": ["sleep", "1000"]}}})
    project.call("up", "-d", expect=None)
    eventually(lambda: project.worker("crash")["state"] == "failed", "giving up")
    assert project.worker("crash")["restarts"] == 2
    assert [line.split()[-1] for line in project.log("crash").splitlines()] == ["1", "2", "3"]
    assert project.supervision("gave_up", worker="crash")
    assert project.running("calm")


@pytest.mark.parametrize("how", ["stop", "kill", "down"])
def test_nothing_that_a_worker_started_outlives_it(project: Project, how: str) -> None:
    project.write(
        {"workers": {"nasty": {"command": ["sh", "-c", NASTY], "stop": {"grace": "300ms"}, "restart": "never"}}}
    )
    project.up()
    eventually(lambda: "grandchild" in project.log("nasty"), "the grandchild")
    eventually(lambda: any("sleep 3000" in line for line in project.processes().values()), "the grandchild sleeps")
    if how == "kill":
        os.kill(project.worker("nasty")["pid"], signal.SIGKILL)
    else:
        project.call(*(["down"] if how == "down" else ["stop", "nasty"]))
    assert eventually(lambda: not any("sleep 3000" in line for line in project.processes().values()), "its end")


def test_a_killed_supervisor_leaves_no_process_and_the_next_up_goes_on(project: Project) -> None:
    nasty = {"command": ["sh", "-c", NASTY]}
    project.write({"workers": {"nasty": nasty, "holder": {"entrypoint": "holder:run"}}}, holder__py=HOLDER)
    project.up()
    eventually(lambda: "holding" in project.log("holder"), "the holder claims")
    eventually(lambda: "grandchild" in project.log("nasty"), "the grandchild")
    before = project.task("job")
    os.kill(project.pids()["supervisor"], signal.SIGKILL)
    eventually(project.all_gone, "every process of the tree gone")
    project.up()
    eventually(lambda: project.log("holder").count("holding") == 2, "the holder claims again")
    after = project.task("job")
    assert after["lease_token"] > before["lease_token"] and after["owner"] == "holder"
    assert not project.audit().violations


def test_a_killed_launcher_is_replaced_and_its_workers_come_back(project: Project) -> None:
    nasty = {"command": ["sh", "-c", NASTY], "stop": {"grace": "200ms"}}
    project.write({"workers": {"nasty": nasty, "holder": {"entrypoint": "holder:run"}}}, holder__py=HOLDER)
    project.up()
    eventually(lambda: "holding" in project.log("holder"), "the holder claims")
    eventually(lambda: "grandchild" in project.log("nasty"), "the grandchild")
    old = project.pids()["launcher"]
    before = set(project.processes()) - {project.pids()["supervisor"]}
    os.kill(old, signal.SIGKILL)
    eventually(lambda: project.running("holder", 2) and project.running("nasty", 2), "both run again")
    assert project.pids()["launcher"] != old
    assert not before & set(project.processes()), "something of the old launcher lives on"
    eventually(lambda: project.log("holder").count("holding") == 2, "the holder claims again")
    project.down()
    assert project.all_gone(), project.processes()


@pytest.mark.parametrize("wanted", ["back", "down"])
def test_a_launcher_for_which_the_system_has_nothing_left_is_started_later(project: Project, wanted: str) -> None:
    project.write({"workers": {"w": {"command": "sleep 1000"}}})
    project.up()
    first, pids = project.worker("w")["pid"], project.pids()
    limits = resource.prlimit(pids["supervisor"], resource.RLIMIT_NOFILE)
    resource.prlimit(pids["supervisor"], resource.RLIMIT_NOFILE, (4, limits[1]))
    os.kill(pids["launcher"], signal.SIGKILL)
    eventually(lambda: project.supervision("launcher_waits"))
    assert "Too many open files" in project.supervision("launcher_waits")[0]["cause"]
    if wanted == "back":
        resource.prlimit(pids["supervisor"], resource.RLIMIT_NOFILE, limits)
        eventually(lambda: project.worker("w")["state"] == "running" and project.worker("w")["pid"] != first)
        assert len(project.supervision("launcher_waits")) == 1
    else:
        os.kill(pids["supervisor"], signal.SIGTERM)
    eventually(lambda: wanted == "back" or project.all_gone())
    assert "Traceback" not in (project.folder / "data" / "logs" / "up.stderr").read_text()


def test_a_launcher_that_cannot_live_ends_the_tree_instead_of_spinning(project: Project) -> None:
    body = (
        "import os, sys\nif __name__ != '__main__': os._exit(9)\nfrom kortana.cli.entry import main\nsys.exit(main())\n"
    )
    project.write({"workers": {"a": {"command": ["sleep", "1000"]}}}, broken__py=body)
    done = subprocess.run(
        [sys.executable, "broken.py", "up"],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "the launcher died 6 times" in done.stdout
    assert project.all_gone()


POISON = """
import os, sys
from kortana.actors import coordinator, persistence
from kortana.core.commands import Submit

def poison(actor, what):
    handle = actor.on_receive
    def on_receive(self, message):
        if os.path.exists(what) and not os.path.exists(what + ".taken"):
            open(what + ".taken", "w").close()
            raise RuntimeError("poisoned")
        return handle(self, message)
    actor.on_receive = on_receive

poison(coordinator.CoordinatorActor, "kill-coordinator")
poison(persistence.PersistenceActor, "kill-persistence")
if __name__ == "__main__":
    from kortana.cli.entry import main
    sys.exit(main())
"""
STEADY = """
import itertools
def run(agent):
    for number in itertools.count():
        with agent.claim(f"job-{number}") as task:
            pass
        if number % 100 == 0:
            print("done", number, flush=True)
"""


@pytest.mark.parametrize("actor", ["coordinator", "persistence"])
def test_a_dead_actor_is_restarted_without_losing_a_worker(project: Project, actor: str) -> None:
    project.write(
        {"workers": {"steady": {"entrypoint": "steady:run"}, "other": {"command": ["sleep", "1000"]}}},
        steady__py=STEADY, poisoned__py=POISON,
    )  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "poisoned.py", "up"], cwd=project.folder, env=project.env, stdout=subprocess.DEVNULL
    )
    eventually(lambda: "done 100" in project.log("steady"), "work is being done")
    pids = {row["name"]: row["pid"] for row in project.json("ps")["workers"]}
    (project.folder / f"kill-{actor}").touch()
    eventually(lambda: project.supervision("core_restarted"), "the core is restarted")
    count = project.log("steady").count("done")
    eventually(lambda: project.log("steady").count("done") > count + 2, "the work goes on")
    assert {row["name"]: row["pid"] for row in project.json("ps")["workers"]} == pids
    project.down()
    assert process.wait(60) == 0
    assert not project.audit().violations
    assert project.call("replay", "--verify", "--json").returncode == 0


def test_a_data_folder_that_an_agent_cleans_away_ends_the_tree_and_says_so(project: Project) -> None:
    """`git clean -fdx`: what is acknowledged after it would be lost, and another `up` could not see this one."""
    clean = {"id": "t", "run": "rm -rf data"}
    project.write({"workers": {"a": {"agent": "shell"}, "b": {"command": ["sleep", "1000"]}}, "tasks": [clean]})
    up = project.start_foreground()
    said, _ = up.communicate(timeout=60)
    assert up.returncode == 1 and "was removed, moved or replaced while it was in use" in said
    eventually(project.all_gone)


def _remove_data(project: Project) -> None:
    """It may write something more, and be in the way of a folder's end."""
    while (project.folder / "data" / "run").exists():
        subprocess.run(["rm", "-rf", project.folder / "data"], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("away", ["removed", "moved"])
def test_an_idle_tree_notices_that_its_data_folder_is_gone(project: Project, away: str) -> None:
    """Nothing is written, and nothing else would tell it."""
    project.write({"workers": {"b": {"command": ["sleep", "1000"]}}})
    up = project.start_foreground()
    eventually(lambda: (project.folder / "data" / "supervision.jsonl").exists() and project.supervision("up"))
    if away == "removed":
        _remove_data(project)
    else:
        (project.folder / "data").rename(project.folder / "elsewhere")
    said, _ = up.communicate(timeout=60)
    assert up.returncode == 1 and "was removed, moved or replaced while it was in use" in said, said
    eventually(project.all_gone)


def test_no_second_tree_is_started_beside_one_whose_data_folder_was_removed(project: Project) -> None:
    ending = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], "stop": {"grace": "15s"}}
    project.write({"workers": {"b": ending}})
    project.up()
    pid = project.json("ps")["pid"]
    _remove_data(project)
    for words in (["up"], ["up", "-d"]):
        assert f"already running, pid {pid}" in project.call(*words, expect=6).stderr
    assert f"pid {pid} is ending, as its data folder was removed" in project.call("ps", expect=3).stderr
    assert "stopped" in project.call("down").stdout and project.all_gone()
    assert "not running" in project.call("down").stdout
    project.up()
    assert project.json("ps")["pid"] != pid
