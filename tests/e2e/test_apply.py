"""apply and scale while everything else runs; readiness by asking; strategies; doctor; systemd's protocol; PID 1."""

import json
import os
import socket
import sys

import pytest

from kortana import AgentInterface
from kortana.transport.dialing import Refused
from tests.e2e.project import AT_ONCE, Project, eventually

SLEEPER = {"command": ["sleep", "1000"]}


def pids(project: Project) -> dict[str, int]:
    return {row["name"]: row["pid"] for row in project.json("ps")["workers"]}


def begin(project: Project) -> None:
    """`up`, without waiting for workers that will not be ready."""
    project.start_foreground()
    eventually(lambda: project.call("ps", expect=None).returncode == 0)


def test_apply_changes_what_has_changed_and_nothing_else(project: Project) -> None:
    project.write({"workers": {"keep": SLEEPER, "change": SLEEPER, "go": SLEEPER, "rest": SLEEPER}})
    project.up()
    project.call("stop", "rest")
    before = pids(project)
    project.write(
        {"workers": {"keep": SLEEPER, "change": {"command": ["sleep", "1001"]}, "new": SLEEPER,
                     "rest": {"command": ["sleep", "1002"]}},
         "tasks": [{"id": "added"}], "coordinator": {"lease_ttl": "33s"}},
    )  # fmt: skip
    plan = project.json("apply", "--dry-run")["plan"]
    told = {(step["kind"], step["name"]): step["action"] for step in plan}
    assert told == {
        ("worker", "keep"): "keep", ("worker", "change"): "change", ("worker", "go"): "remove",
        ("worker", "new"): "add",
        ("worker", "rest"): "change", ("task", "added"): "add", ("section", "coordinator"): "change",
    }  # fmt: skip
    assert pids(project) == before, "a dry run changes nothing"
    assert "+ add    worker new" in project.call("apply").stdout
    after = pids(project)
    assert list(after) == ["keep", "change", "new", "rest"]
    assert after["keep"] == before["keep"] and after["change"] != before["change"] and after["new"]
    assert project.worker("rest")["state"] == "stopped", "what the user stopped stays stopped"
    assert project.task("added")["status"] == "pending"
    assert project.call("agent", "claim", "added", "--as", "me", "--json").stdout.count('"ttl_s": 33.0') == 1
    assert {s["action"] for s in project.json("apply")["plan"]} == {"keep"}
    project.down()
    project.call("replay", "--verify")


def test_apply_starts_what_had_failed_or_waited_because_of_what_it_was(project: Project) -> None:
    never = {**SLEEPER, "replicas": 2, "ready": {"type": "log", "pattern": "never", "timeout": "1h"}}
    workers = {
        "typo": {"command": ["no-such-program"], "restart": "temporary"}, "slow": never,
        "free": {**SLEEPER, "start_after": {"slow": "ready"}}, "kept": {**SLEEPER, "start_after": {"slow": "started"}},
    }  # fmt: skip
    project.write({"workers": workers})
    begin(project)
    eventually(lambda: project.worker("typo")["state"] == "failed" and project.worker("kept")["state"] == "running")
    assert project.worker("free")["state"] == "waiting"
    workers["typo"] = {**SLEEPER, "restart": "temporary"}
    workers["free"] = {**SLEEPER, "start_after": {"slow": "started"}}
    project.write({"workers": workers})
    project.call("apply")
    assert project.worker("typo")["state"] == project.worker("free")["state"] == "running"


def test_who_waits_for_replicas_waits_for_those_that_there_are(project: Project) -> None:
    """They are named otherwise where there is one of them."""
    db = {"command": ["false"], "replicas": 2, "restart": "temporary", "ready": {"type": "log", "pattern": "never"}}
    w = {**SLEEPER, "start_after": {"db": "ready"}}
    project.write({"workers": {"db": db, "w": w}})
    begin(project)
    eventually(lambda: project.worker("db-2")["state"] == "failed")
    assert project.worker("w")["state"] == "waiting"
    project.write({"workers": {"db": SLEEPER, "w": w}})
    project.call("apply")
    eventually(lambda: project.running("w"))


def test_a_task_that_is_there_already_stays_as_it_is_and_a_person_is_told(project: Project) -> None:
    project.write({"workers": {}, "tasks": [{"id": "t", "title": "old"}, {"id": "same"}]})
    project.up()
    project.write({"workers": {}, "tasks": [{"id": "t", "title": "new", "run": "true"}, {"id": "same"}]})
    steps = [step for step in project.json("apply")["plan"] if step["kind"] == "task"]
    assert [(step["action"], step["name"]) for step in steps] == [("keep", "t")]
    assert steps[0]["what"].startswith("title, run differs: ") and "kortana tasks rm" in steps[0]["what"]
    project.down()
    assert project.task("t")["title"] == "old"
    told = [event["note"] for event in project.supervision("recovery_note")] if project.up() else []
    assert len(told) == 1 and told[0].startswith("tasks.t: title, run is other in kortana.yaml")


def test_tasks_that_close_a_circle_with_those_that_are_there_are_refused(project: Project) -> None:
    project.write({"workers": {}})
    project.up()
    project.call("tasks", "add", "there", "--depends-on", "declared")
    project.write({"workers": {}, "tasks": [{"id": "there"}, {"id": "declared", "depends_on": ["there"]}]})
    refused = project.call("apply", expect=2)
    assert "tasks.declared.depends_on" in refused.stderr and "would depend on itself" in refused.stderr
    project.down()
    refused = project.call("up", expect=2)
    assert "tasks.declared.depends_on" in refused.stderr and "nothing was started" in refused.stderr
    assert "tasks.declared.depends_on" in project.call("up", "-d", expect=2).stderr
    assert project.task_counts() == {"pending": 1}


def test_apply_of_a_broken_file_changes_nothing(project: Project) -> None:
    project.write({"workers": {"a": SLEEPER}})
    project.up()
    before = pids(project)
    (project.folder / "kortana.yaml").write_text("version: 1\nworkers: {a: {comand: [x]}}\n")
    refused = project.call("apply", expect=2)
    assert "did you mean command" in refused.stderr
    project.write({"workers": {"a": SLEEPER}})
    assert pids(project) == before


def test_scale_up_and_down_keeps_the_others(project: Project) -> None:
    project.write({"workers": {"w": {**SLEEPER, "replicas": 2}, "other": SLEEPER}})
    project.up()
    before = pids(project)
    project.call("scale", "w=4")
    after = pids(project)
    assert set(after) == {"w-1", "w-2", "w-3", "w-4", "other"}
    assert {name: after[name] for name in before} == before
    project.call("scale", "w=2")
    assert pids(project) == before
    assert "no worker 'x'" in project.call("scale", "x=2", expect=2).stderr


@pytest.mark.parametrize("kind", ["tcp", "http", "exec"])
def test_ready_by_asking(project: Project, kind: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = (
        "import http.server as h, sys, time; time.sleep(0.4); open('up', 'w'); "
        "h.HTTPServer(('127.0.0.1', int(sys.argv[1])), h.SimpleHTTPRequestHandler).serve_forever()"
    )
    ready = {
        "tcp": {"type": "tcp", "port": port},
        "http": {"type": "http", "url": f"http://127.0.0.1:{port}/"},
        "exec": {"type": "exec", "command": ["test", "-e", "up"]},
    }[kind]
    project.write(
        {"workers": {"s": {"command": [sys.executable, "-c", server, str(port)], "ready": ready, "cwd": "."},
                     "after": {**SLEEPER, "start_after": {"s": "ready"}}}}
    )  # fmt: skip
    project.up()
    order = [item["worker"] for item in project.supervision("running")]
    assert order == ["s", "after"]
    assert (project.folder / "up").exists()


@pytest.mark.parametrize(
    ("strategy", "again"),
    [("one_for_one", {"b"}), ("rest_for_one", {"b", "c"}), ("one_for_all", {"a", "b", "c"})],
)
def test_a_crash_restarts_whom_the_strategy_names(project: Project, strategy: str, again: set[str]) -> None:
    fast = {"backoff": {"initial": "0s", "max": "0s"}}
    workers = {name: {**SLEEPER, **fast} for name in "abc"}
    workers["t"] = {**SLEEPER, **fast, "restart": "temporary"}
    project.write({"supervisor": {"strategy": strategy}, "workers": workers})
    project.up()
    before = pids(project)
    os.kill(before["b"], 9)
    eventually(lambda: project.running("b", 2), "b is back")
    eventually(lambda: all(project.running(name, 2 if name in again else 1) for name in "abc"), "the group is back")
    after = pids(project)
    assert {name for name in "abc" if after[name] != before[name]} == again
    assert project.worker("t")["state"] == ("running" if strategy == "one_for_one" else "stopped")
    records = eventually(lambda: list((project.folder / "data" / "crashes").glob("*.json")), "the record of b")
    assert len(records) == 1, "a sibling that was stopped is no crash"


def test_a_group_starts_again_in_the_order_of_start_after(project: Project) -> None:
    """Whichever of them has crashed. The gate opens once for each time that it is asked."""
    opens = "until mv open was-open 2>/dev/null; do sleep 0.05; done; echo ready; exec sleep 1000"
    db = {"command": ["sh", "-c", opens], "ready": {"type": "log", "pattern": "ready", "timeout": "1h"}}
    workers = {"api": {**SLEEPER, "start_after": {"db": "ready"}, "replicas": 2}, "db": db}
    project.write({"supervisor": {"strategy": "one_for_all"}, "defaults": AT_ONCE, "workers": workers})
    (project.folder / "open").touch()
    project.up()
    for incarnation, crashed in ((2, "db"), (3, "api-2")):
        os.kill(pids(project)[crashed], 9)
        eventually(lambda i=incarnation: project.worker("db")["incarnation"] == i, "db starts again")
        for name in ("api-1", "api-2"):
            eventually(lambda n=name: project.worker(n)["state"] == "waiting", f"{name} waits for it")
        (project.folder / "open").touch()
        for name in ("db", "api-1", "api-2"):
            eventually(lambda i=incarnation, n=name: project.running(n, i), f"{name} is back")
    order = [(e["worker"], e["incarnation"]) for e in project.supervision("running")]
    assert [order.index(("db", i)) for i in (1, 2, 3)] == [0, 3, 6]


def test_giving_up_can_end_the_tree(project: Project) -> None:
    crash = {"command": ["false"], "intensity": 1, "backoff": {"initial": "0s", "max": "0s"}}
    project.write({"supervisor": {"on_give_up": "exit"}, "workers": {"c": crash, "a": SLEEPER}})
    done = project.call("up", expect=1)
    assert "restart budget of the worker is used up" in done.stdout
    assert project.all_gone()


def test_a_progress_timeout_is_another_clock_than_the_heartbeat(project: Project) -> None:
    stuck = """
import time
def run(agent):
    agent.claim_task("job")
    while True:
        agent.heartbeat()
        time.sleep(0.05)
"""
    worker = {"entrypoint": "stuck:run", "restart": "never", "liveness": {"progress_timeout": "500ms"}}
    project.write({"workers": {"w": worker}}, stuck__py=stuck)
    project.call("up", "-d", expect=None)
    eventually(lambda: project.supervision("unhealthy", cause="progress timeout"), "it gets nowhere")
    eventually(lambda: project.worker("w")["state"] == "failed", "it is ended")
    group, = eventually(lambda: project.json("crashes")["groups"], "its record, for which nothing waits")
    assert group["verdict"] == "hung"


def test_doctor_has_a_line_for_each_check_and_a_remedy_for_each_failure(project: Project) -> None:
    project.write({"workers": {"a": SLEEPER}})
    assert "process trees" in project.call("doctor").stdout
    project.write({"workers": {"a": {"command": ["no-such-agent"]}}})
    failed = project.call("doctor", expect=1)
    assert "FAIL  commands: not found: a: no-such-agent" in failed.stdout
    found = json.loads(project.call("doctor", "--json", expect=1).stdout)
    assert all(check["remedy"] for check in found["checks"] if not check["ok"])


def test_a_service_manager_is_told(project: Project) -> None:
    path = project.folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(60)
        project.write({"workers": {"a": SLEEPER}})
        project.env.update(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="400000")
        process = project.start_foreground()
        assert b"READY=1" in manager.recv(4096)
        assert manager.recv(4096) == b"WATCHDOG=1"
        process.terminate()
        while b"STOPPING=1" not in manager.recv(4096):
            pass
        process.communicate(timeout=60)
        assert process.returncode == 0


def test_a_hangup_is_a_graceful_down(project: Project) -> None:
    project.write({"workers": {"a": SLEEPER}})
    process = project.start_foreground()
    eventually(lambda: (project.folder / "data/run/endpoint.json").exists(), "it is up")
    eventually(lambda: project.worker("a")["state"] == "running", "a runs")
    process.send_signal(1)
    process.communicate(timeout=60)
    assert process.returncode == 0 and project.all_gone()


def _refusal_of_connection(guest: AgentInterface) -> str:
    """Empty while there still is one, on which nothing is taken any more."""
    try:
        assert guest.heartbeat("live").reason == "forbidden"
    except Refused as error:
        return str(error)
    return ""


def test_a_guest_whose_name_becomes_a_workers_is_cut_off_and_holds_nothing(project: Project) -> None:
    project.write({"workers": {"keep": SLEEPER}, "tasks": [{"id": "live"}, {"id": "left"}]})
    project.up()
    guest = AgentInterface("bob", str(project.folder), patience_s=5.0)
    assert guest.claim_task("live").accepted
    project.call("agent", "claim", "left", "--as", "carol")
    project.write({"workers": {"keep": SLEEPER, "bob": SLEEPER}})
    project.call("apply")
    assert project.task("live")["status"] == "pending" and project.task("live")["attempts"] == 0
    assert "the name of a declared worker" in eventually(lambda: _refusal_of_connection(guest))
    guest.close()
    assert project.worker("bob")["task_id"] is None
    project.down()
    assert project.task("left")["owner"] == "carol", "the lease of a guest outlives Kortana"
    project.write({"workers": {"keep": SLEEPER, "bob": SLEEPER, "carol": SLEEPER}})
    project.up()
    assert project.task("left")["owner"] is None and project.worker("carol")["state"] == "running"
    project.down()
    project.call("replay", "--verify")
    project.call("fsck")
