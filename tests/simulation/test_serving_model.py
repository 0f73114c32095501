"""Who gets which task, against a plain look at all of them: paths, capabilities, priorities, waiting claims."""

import os
import random
from typing import Any

import pytest

from kortana.core.checkpoint import canonical
from kortana.core.commands import Boot
from kortana.core.paths import patterns_meet
from kortana.core.task import PENDING, Task
from tests.core.harness import Core

AGENTS: dict[str, tuple[str, ...]] = {"a": (), "b": ("x",), "c": ("x", "y"), "d": ("x", "y")}
PATHS = [[], ["**"], ["m/**"], ["m/a"], ["m/*.py"], ["n/b", "m/a"], ["n/**"], ["n/b"], ["README"], ["README", "m/c"]]
REQUIRES = [[], [], [], ["x"], ["y"]]
MAX_LEASES = 2


class World:
    """Agents that claim, work and die. Answers to claims are checked here, that nobody waits in vain by `Core.run`."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.core = Core(max_leases_per_agent=MAX_LEASES, max_attempts=1000)
        for name, capabilities in AGENTS.items():
            self.core.up(name, capabilities=capabilities)
        for _ in range(self.draw.randrange(12)):
            self.add()

    def step(self) -> None:
        acts = [self.add, self.claim_next, self.claim, self.let_go, self.block, self.operate, self.edit, self.die]
        self.draw.choices([*acts, self.wait, self.restart], [3, 6, 6, 8, 1, 1, 1, 0.3, 0.5, 0.2])[0]()

    def add(self) -> None:
        there = list(self.core.state.tasks)
        spec: dict[str, Any] = {
            "priority": self.draw.randint(1, 3),
            "paths": self.draw.choice(PATHS),
            "requires": self.draw.choice(REQUIRES),
            "depends_on": [self.draw.choice(there)] if there and self.draw.random() < 0.1 else [],
        }
        if self.draw.random() < 0.5:
            spec["run"] = "true"
        self.core.add(f"t{self.draw.randrange(1000)}", **spec)

    def _agent(self) -> str:
        return self.draw.choice(list(AGENTS))

    def _task(self) -> str:
        live = [task.id for task in self.core.state.tasks.values() if task.status != "completed"]
        return self.draw.choice(live or ["t0"])

    def _can_have(self, agent: str, task: Task, having: frozenset[str] = frozenset()) -> bool:
        reserved = [path for other in self.core.state.tasks.values() if other.owner for path in other.paths]
        return (
            task.status == PENDING
            and set(AGENTS[agent]).issuperset(task.requires)
            and all(self.core.status(needed) == "completed" for needed in task.depends_on)
            and not any(patterns_meet(path, other) for path in task.paths for other in reserved)
            and (not having or bool(having & task.having()))
        )

    def _has_room(self, agent: str) -> bool:
        return len(self.core.state.agents[agent].tasks) < MAX_LEASES

    def claim_next(self) -> None:
        agent, wait, having = self._agent(), self.draw.choice([0, 5, 3600]), self.draw.choice([[], [], ["run"]])
        can = [t for t in self.core.state.tasks.values() if self._can_have(agent, t, frozenset(having))]
        best = min(can, key=lambda t: (-t.priority, t.created_seq)).id if can else None
        room = self._has_room(agent)
        answer = self.core.claim(agent, wait_s=wait, having=having)
        if best is not None and room:
            assert answer["task"]["id"] == best
        elif not wait:
            assert answer["reason"] == ("nothing_ready" if room else "too_many_leases")

    def claim(self) -> None:
        agent, name = self._agent(), self._task()
        task = self.core.state.tasks.get(name)
        if task is not None and task.owner is None:
            can = self._can_have(agent, task) and self._has_room(agent)
            answer = self.core.claim(agent, name, wait_s=self.draw.choice([0, 5, 3600]))
            assert bool(answer and answer["accepted"]) == can

    def let_go(self) -> None:
        agent = self._agent()
        held = list(self.core.state.agents[agent].tasks)
        if held:
            status = self.draw.choice(["completed", "completed", "completed", "pending", "failed", "blocked"])
            self.core.say(agent, "TASK_UPDATE", self.draw.choice(held), status=status)

    def block(self) -> None:
        agent = self._agent()
        for name in list(self.core.state.agents[agent].tasks)[:1]:
            self.core.say(agent, "BLOCKER", name, reason="stuck", needs=[self._task()])

    def operate(self) -> None:
        kind = self.draw.choice(["TASK_CANCEL", "TASK_RESET", "TASK_RELEASE", "OPERATOR_EDIT"])
        self.core.say("operator", kind, self._task(), **({"remove": True} if kind == "OPERATOR_EDIT" else {}))

    def edit(self) -> None:
        """Of tasks that nobody holds: an edit may reserve what others have reserved."""
        change = self.draw.choice(["paths", "requires", "priority"])
        value = self.draw.choice({"paths": PATHS, "requires": REQUIRES, "priority": [1, 3]}[change])
        task = self.core.state.tasks.get(self._task())
        if task is not None and task.owner is None:
            self.core.say("operator", "OPERATOR_EDIT", task.id, set={change: value})

    def die(self) -> None:
        agent = self._agent()
        self.core.down(agent)
        self.core.up(agent, capabilities=AGENTS[agent])

    def wait(self) -> None:
        self.core.pass_time(self.draw.choice([1.0, 6.0, 130.0]))

    def restart(self) -> None:
        """The coordinator starts over from the journal; who waited may ask again."""
        self.core.state = self.core.replayed()
        self.core.run(Boot(False, self.core.limits))


@pytest.mark.parametrize("seed", range(3000 if os.environ.get("KORTANA_LONG") else 60))
def test_each_claim_gets_the_best_task_and_nobody_waits_in_vain(seed: int) -> None:
    world = World(seed)
    for _ in range(150):
        world.step()
    world.core.check()
    assert canonical(world.core.replayed()) == canonical(world.core.state)
