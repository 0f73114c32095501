"""Kortana stood still for a while (Ctrl-Z, a debugger, a machine that was frozen): who spoke meanwhile is heard."""

import os
import signal
import sys
import time
from pathlib import Path

from tests.e2e.project import Project, eventually


def stand_still(project: Project, seconds: float) -> None:
    """Stops the supervisor for longer than anything in it may be late."""
    pid = project.pids()["supervisor"]
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    time.sleep(seconds)  # what is tested is time itself
    os.kill(pid, signal.SIGCONT)


def test_no_lease_expires_and_no_worker_is_hung_for_what_was_said_meanwhile(project: Project) -> None:
    project.write(
        {
            "coordinator": {"lease_ttl": "2s"},
            "workers": {"a": {"agent": "shell", "liveness": {"heartbeat_timeout": "1500ms"}}},
            "tasks": [{"id": "t", "run": "until [ -e done ]; do sleep 0.05; done"}],
        }
    )
    project.up()
    eventually(lambda: project.task("t")["status"] == "in_progress")
    beats = len([r for r in project.journal() if r["event_type"] == "HEARTBEAT"])
    stand_still(project, 5.0)
    eventually(lambda: len([r for r in project.journal() if r["event_type"] == "HEARTBEAT"]) > beats + 2)
    (project.folder / "done").touch()
    eventually(lambda: project.task("t")["status"] == "completed")
    assert [r for r in project.journal() if r["event_type"] == "LEASE_EXPIRED"] == []
    assert project.worker("a")["incarnation"] == 1 and project.supervision("unhealthy") == []


def test_who_is_silent_is_still_found_out(project: Project) -> None:
    project.write(
        {"workers": {"h": {"entrypoint": "hung:run", "liveness": {"heartbeat_timeout": "1s"}}}},
        hung__py="import time\ndef run(agent):\n    agent.heartbeat()\n    time.sleep(1000)\n",
    )
    project.up()
    eventually(lambda: any(r["event_type"] == "HEARTBEAT" for r in project.journal()))
    stand_still(project, 3.0)
    found = eventually(lambda: project.supervision("unhealthy", cause="heartbeat timeout", worker="h"))
    assert found[0]["silent_s"] >= found[0]["timeout_s"] == 1.0


def test_a_lease_longer_than_the_heartbeat_timeout_is_renewed_often_enough_for_both(project: Project) -> None:
    project.write(
        {
            "coordinator": {"lease_ttl": "10m"},
            "workers": {"a": {"agent": "shell", "liveness": {"heartbeat_timeout": "2s"}}},
            "tasks": [{"id": "t", "run": "sleep 5"}],
        }
    )
    up = project.start_foreground("--exit-when-done")
    assert up.wait(120) == 0
    assert project.supervision("unhealthy") == [] and project.supervision("crashed") == []


def test_who_waits_for_a_message_is_not_hung(project: Project) -> None:
    """A Python worker in `receive`, and a script in `agent inbox --wait`."""
    script = f"{sys.executable} -m kortana agent inbox --wait 600 >heard; sleep 1000"
    liveness = {"heartbeat_timeout": "3s"}
    project.write(
        {
            "workers": {
                "python": {"entrypoint": "reader:run", "liveness": liveness},
                "script": {"command": ["/bin/sh", "-c", script], "liveness": liveness},
            }
        },
        reader__py="def run(agent):\n    agent.send_event('INFO', 'script', payload=agent.receive().payload)\n"
        "    agent.receive()\n",
    )
    project.up()
    eventually(lambda: all(row["agent_status"] == "active" for row in project.json("ps")["workers"]))
    time.sleep(7.0)  # what is tested is time itself
    assert project.supervision("unhealthy") == []
    project.call("agent", "send", "python", "pass it on", "--as", "guest")
    eventually(lambda: "pass it on" in (project.folder / "heard").read_text())
    assert [row["incarnation"] for row in project.json("ps")["workers"]] == [1, 1]
    assert not [record for record in project.journal() if record["payload"].get("ack_for_event_id") == ""]
