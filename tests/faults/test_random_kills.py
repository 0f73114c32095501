"""Random kill -9 of workers, launcher and supervisor over nasty trees: no orphan, no zombie, one record a death."""

import json
import os
import random
import signal
from pathlib import Path

from tests.e2e.project import Project, eventually

KILLS = 500 if os.environ.get("KORTANA_LONG") else 15
SEED = int(os.environ.get("KORTANA_SEED", "1"))
TREE = "trap '' TERM; (setsid sh -c 'sleep 3000' &) ; (sh -c 'sleep 3000' &) ; echo up; sleep 3000 & wait"
PYTHON = """
import os, subprocess, time
def run(agent):
    agent.claim_task()
    subprocess.Popen(["setsid", "sleep", "3000"])
    if os.fork() == 0:
        os.setsid()
        time.sleep(3000)
    print("up", flush=True)
    time.sleep(3000)
"""


def zombies(project: Project, parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] == "Z" and int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def incarnations(project: Project) -> dict[str, set[int]]:
    """Worker → the incarnations that live, by the environment of its first process and of all that it started."""
    found: dict[str, set[int]] = {}
    for pid in project.processes():
        try:
            lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        env = dict(line.split(b"=", 1) for line in lines if b"=" in line)
        if b"KORTANA_AGENT" in env:
            found.setdefault(env[b"KORTANA_AGENT"].decode(), set()).add(int(env[b"KORTANA_INCARNATION"]))
    return found


class Records:
    """The crash records ever seen: retention may take the oldest away in the meantime."""

    def __init__(self, project: Project) -> None:
        self._folder = project.folder / "data" / "crashes"
        self._seen: dict[str, tuple[str, int, str]] = {}

    def count(self) -> int:
        for path in self._folder.glob("*.json"):
            if path.name not in self._seen:
                crash = json.loads(path.read_text())
                self._seen[path.name] = (crash["worker"], crash["incarnation"], crash["at"])
        assert len(set(self._seen.values())) == len(self._seen), "two records of one death"
        return len(self._seen)


def test_nothing_outlives_a_kill_and_each_has_its_record(project: Project) -> None:
    fast = {"backoff": {"initial": "0s", "max": "0s"}, "intensity": 100000, "period": "1s", "stop": {"grace": "100ms"},
            "liveness": {"heartbeat_timeout": 0}}  # fmt: skip
    workers = {
        "sh": {"command": ["sh", "-c", TREE], **fast}, "py": {"entrypoint": "tree:run", **fast},
        "py2": {"entrypoint": "tree:run", **fast},
    }  # fmt: skip
    project.write(
        {"workers": workers, "supervisor": {"intensity": 100000, "period": "1s"},
         "coordinator": {"max_attempts": 1000}, "tasks": [{"id": f"t{n}"} for n in range(3)]},
        tree__py=PYTHON,
    )  # fmt: skip
    draw = random.Random(SEED)
    project.up()
    deaths = 0

    def all_up(least: dict[str, int]) -> bool:
        rows = {row["name"]: row for row in project.json("ps")["workers"]}
        return all(rows[n]["state"] == "running" and rows[n]["incarnation"] >= least[n] for n in workers)

    records = Records(project)
    for number in range(KILLS):
        rows = {row["name"]: row for row in project.json("ps")["workers"]}
        known = project.pids()
        before = project.processes()
        victim = draw.choice([*workers, *workers, *workers, "launcher", "supervisor"])
        if victim in workers:
            os.kill(rows[victim]["pid"], signal.SIGKILL)
            deaths += 1
            wanted = {n: rows[n]["incarnation"] + (n == victim) for n in workers}
        elif victim == "launcher":
            os.kill(known["launcher"], signal.SIGKILL)
            deaths += len(workers)
            wanted = {n: rows[n]["incarnation"] + 1 for n in workers}
        else:
            os.kill(known["supervisor"], signal.SIGKILL)
            eventually(project.all_gone, f"seed {SEED}, kill {number}: every process gone after the supervisor")
            deaths += 1
            project.up()
            wanted = dict.fromkeys(workers, 1)
        eventually(lambda w=wanted: all_up(w), f"seed {SEED}, kill {number} of {victim}: all are back")
        eventually(lambda d=deaths: records.count() == d, f"seed {SEED}, kill {number} of {victim}: one record a death")
        if victim != "supervisor":
            assert zombies(project, project.pids()["launcher"]) == []
        ours = {rows["sh"]["pid"]} if victim == "sh" else set()
        assert not ours & set(project.processes()), "a killed worker's pid lives"
        names = [line for line in project.processes().values() if "kortana up" in line and "spawn" not in line]
        assert len(names) == 1, (before, names)
        current = {row["name"]: row["incarnation"] for row in project.json("ps")["workers"]}
        for worker, alive in incarnations(project).items():
            assert alive == {current[worker]}, (number, victim, worker, alive, current)
        if number % 5 == 4:
            project.down()
            assert project.all_gone(), project.processes()
            project.up()
    project.down()
    assert project.all_gone(), project.processes()
    assert not project.audit().violations
    project.call("replay", "--verify")
    print(f"seed {SEED}: {KILLS} kills, {deaths} deaths, {records.count()} records, 0 orphans, 0 zombies")
