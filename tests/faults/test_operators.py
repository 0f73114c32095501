"""Three people who operate one tree at random, all at once, while they kill its processes and edit its files: each of
their commands ends, in time, with a code and a word that the contract knows, and the journal still derives all."""

import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.project import AT_ONCE, BOUNDLESS, KORTANA, Project, eventually

LONG = bool(os.environ.get("KORTANA_LONG"))
FIRST = int(os.environ.get("KORTANA_SEED", "1"))
SEEDS = range(FIRST, FIRST + (6 if LONG else 1))
COMMANDS = 400 if LONG else 45
PEOPLE = 3
PATIENCE_S = 120.0
NAMES = ["a", "b", "c", "d"]
PYTHON = """
import os, random, time
def run(agent):
    while True:
        claimed = agent.claim_task(wait=5)
        if not claimed:
            continue
        task, end = claimed.task["id"], random.random()
        time.sleep(random.uniform(0, 0.2))
        if end < 0.6:
            agent.update_task_status(task, "completed")
        elif end < 0.7:
            agent.update_task_status(task, "failed", "no")
        elif end < 0.8:
            agent.report_blocker(task, "help")
        elif end < 0.9:
            agent.release_task(task)
        elif end < 0.95:
            os._exit(random.choice([0, 1, 75]))
        else:
            raise ValueError("boom")
"""
KINDS: list[dict[str, Any]] = [
    {"entrypoint": "acting:run"}, {"entrypoint": "acting:run", "replicas": 2}, {"agent": "shell"},
    {"agent": "shell", "capabilities": ["x"]}, {"command": ["sh", "-c", "echo up; sleep 0.3"]},
    {"command": ["sh", "-c", "exit 3"]}, {"command": ["sh", "-c", "trap '' TERM; sleep 3000 & wait"]},
]  # fmt: skip


class Operators:
    """What each of them does is drawn from one seed; what they draw of it depends on who comes first."""

    def __init__(self, project: Project, seed: int) -> None:
        self._project, self._random, self._tasks = project, random.Random(seed), ["y0", "y1", "nobody"]
        self._left = COMMANDS
        self.wrong: list[Any] = []
        """Commands that have ended as none should."""

    def all_at_once(self) -> None:
        self.up()
        people = [threading.Thread(target=self._act) for _ in range(PEOPLE)]
        for each in people:
            each.start()
        for each in people:
            each.join()

    def write(self) -> None:
        draw = self._random
        workers = {name: {**draw.choice(KINDS), **AT_ONCE, "quota_delay": "1s", "stop": {"grace": "500ms"}}
                   for name in draw.sample(NAMES, draw.randint(1, len(NAMES)))}  # fmt: skip
        strategy = draw.choice(["one_for_one", "one_for_one", "one_for_all", "rest_for_one"])
        coordinator = {"lease_ttl": draw.choice(["1s", "5s", "120s"]), "max_attempts": draw.choice([2, 100])}
        tasks = [{"id": f"y{number}", "run": "true"} for number in range(2)]
        supervisor = {**BOUNDLESS["supervisor"], "strategy": strategy}
        config = {"workers": workers, "supervisor": supervisor, "coordinator": coordinator, "tasks": tasks}
        self._project.write(config, acting__py=PYTHON)

    def up(self) -> None:
        self.call("up", "-d", "--wait-timeout", "30")

    def call(self, *words: str) -> None:
        began = time.monotonic()
        try:
            done = subprocess.run(
                [KORTANA, *words], cwd=self._project.folder, env=self._project.env, timeout=PATIENCE_S,
                capture_output=True, text=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            self.wrong.append(error)
            return
        is_told = done.returncode == 0 or done.stderr.strip()
        if done.returncode not in range(7) or "Traceback" in done.stderr or not is_told:
            self.wrong.append((words, done.returncode, done.stdout[-500:], done.stderr, time.monotonic() - began))

    def _act(self) -> None:
        doings: list[Callable[[], None]] = [
            *[self._add] * 4, *[self._change_a_task] * 4, *[self._take_part] * 4, *[self._look] * 4, *[self._kill] * 3,
            self._import, self._order, self._order, self._scale, self._apply, self._down_and_up, self.up,
        ]  # fmt: skip
        while self._left > 0:
            self._left -= 1
            self._random.choice(doings)()

    def _add(self) -> None:
        name = f"t{self._left}"
        words = ["--run", self._random.choice(["true", "exit 1", "exit 75", "sleep 0.3", "sleep 30"])]
        for _ in range(self._random.choice([0, 0, 1, 2])):
            words += ["--depends-on", self._task()]
        for path in self._random.sample(["src/**", "*.py", "src/x/*.c"], self._random.choice([0, 0, 1])):
            words += ["--path", path]
        self.call("tasks", "add", name, *words, "--priority", str(self._random.randrange(100)))
        self._tasks.append(name)

    def _import(self) -> None:
        names = [f"i{self._left}-{number}" for number in range(20)]
        path = self._project.folder / f"{names[0]}.jsonl"
        path.write_text("".join(json.dumps({"id": name, "run": "true"}) + "\n" for name in names))
        self.call("tasks", "import", path.name)
        self._tasks += names

    def _change_a_task(self) -> None:
        self.call("tasks", self._random.choice(["cancel", "reset", "release", "retry", "rm"]), self._task())

    def _take_part(self) -> None:
        task = self._task()
        words = self._random.choice([
            ("claim",), ("claim", task), ("heartbeat",), ("update", task, "completed"), ("update", task, "failed"),
            ("block", task, "--reason", "r"), ("release", task), ("inbox",),
        ])  # fmt: skip
        self.call("agent", *words, "--as", self._random.choice(["me", "you"]))

    def _look(self) -> None:
        task = self._task()
        self.call(*self._random.choice([
            ("ps",), ("tasks", "list"), ("tasks", "show", task), ("why", task), ("events", "-n", "20"), ("logs",),
            ("crashes",), ("crashes", "explain", "a"), ("tasks", "export"), ("replay", "--verify"), ("fsck",),
        ]))  # fmt: skip

    def _order(self) -> None:
        self.call(self._random.choice(["start", "stop", "restart"]), self._random.choice(NAMES))

    def _scale(self) -> None:
        self.call("scale", f"{self._random.choice(NAMES)}={self._random.randint(1, 3)}")

    def _apply(self) -> None:
        self.write()
        self.call("apply")

    def _kill(self) -> None:
        """Of the tree, and none of the others' commands."""
        data, pids = self._project.folder / "data", set[int]()
        with contextlib.suppress(OSError):
            pids |= {agent["pid"] for agent in json.loads((data / "agent_state.json").read_text())["agents"].values()}
            pids |= set(self._project.pids().values())
        alive = sorted(pids & self._project.processes().keys())
        with contextlib.suppress(IndexError, ProcessLookupError):
            os.kill(self._random.choice(alive), self._random.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))

    def _down_and_up(self) -> None:
        """And between the two some of them edit the graph, others the configuration."""
        self.call("down")
        graph = self._project.folder / "data" / "task_graph.json"
        with contextlib.suppress(OSError, ValueError):  # somebody else's edit is half written
            edited = json.loads(graph.read_text())
            for task in self._random.sample(sorted(edited["tasks"]), min(2, len(edited["tasks"]))):
                edited["tasks"][task].update(status="pending", owner=None)
            graph.write_text(json.dumps(edited))
        self.up()

    def _task(self) -> str:
        return self._random.choice(self._tasks)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_people_do_at_once_is_answered_and_derived_again(project: Project, seed: int) -> None:
    operators = Operators(project, seed)
    operators.write()
    operators.all_at_once()
    assert operators.wrong == []
    for _ in range(2):  # what a last `up` finds, too
        project.call("down")
        eventually(project.all_gone, "every process gone")
        assert project.audit().violations == []
        project.call("fsck")
        project.call("replay", "--verify")
        project.call("up", "-d", expect=None)
