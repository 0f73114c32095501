"""A claim looks at the few tasks that matter, however many are there."""

from collections import Counter
from typing import Any

import pytest

from kortana.core.bundles import Group
from kortana.core.paths import PathIndex
from tests.core.harness import Core

TASKS = 500


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a reservation was looked for, and a group of tasks looked at."""
    found: Counter[str] = Counter()
    for owner, name in ((PathIndex, "in_the_way"), (Group, "first")):
        real = getattr(owner, name)

        def counted(*args: Any, name: str = name, real: Any = real, **kwargs: Any) -> Any:
            found[name] += 1
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
    return found


def _with_tasks(**spec: Any) -> Core:
    """spec: a field → its value for the task of a number."""
    core = Core()
    core.up("a", "b", capabilities=("c7",))
    for number in range(TASKS):
        core.add(f"t{number}", **{field: value(number) for field, value in spec.items()})
    return core


def _cycles(core: Core, count: int) -> None:
    """Two agents claim in turn whatever comes next, and complete it."""
    held: dict[str, str] = {}
    for number in range(count):
        agent = "ab"[number % 2]
        if agent in held:
            core.say(agent, "TASK_UPDATE", held.pop(agent), status="completed")
        answer = core.claim(agent)
        if answer["accepted"]:
            held[agent] = answer["task"]["id"]


@pytest.mark.parametrize(
    "paths",
    [
        lambda n: ["src/**"],
        lambda n: [f"src/{n // 100}/**"],
        lambda n: ["CHANGELOG.md", f"src/{n}.py"],
    ],
    ids=["all the same", "folder by folder", "one file in common"],
)
def test_tasks_that_one_reservation_keeps_back_are_not_looked_at_one_by_one(paths: Any, looks: Counter[str]) -> None:
    core = _with_tasks(paths=paths)
    looks.clear()
    _cycles(core, 100)
    assert looks["in_the_way"] < 400


def test_what_they_have_in_common_is_found_out_once(looks: Counter[str]) -> None:
    core = _with_tasks(paths=lambda n: [f"src/{n}.py", "CHANGELOG.md"])
    _cycles(core, 2)
    assert looks["in_the_way"] >= TASKS - 1
    looks.clear()
    _cycles(core, 100)
    assert looks["in_the_way"] < 400


def test_tasks_that_an_agent_cannot_do_are_not_looked_at(looks: Counter[str]) -> None:
    core = _with_tasks(requires=lambda n: [f"c{n}"])
    looks.clear()
    assert core.claim("a")["task"]["id"] == "t7"
    assert looks["first"] <= 2


def test_of_tasks_that_came_and_went_nothing_is_kept() -> None:
    core = Core()
    core.up("a")
    core.add("first", priority=99, paths=["first"])
    for number in range(1000):
        core.add("t", paths=[f"src/{number}"], requires=[f"c{number}"])
        core.add("u", paths=[f"src/{number}"])
        for name in ("t", "u"):
            core.say("operator", "OPERATOR_EDIT", name, remove=True)
    ready = core.state.ready
    assert len(ready) == 1 and len(ready._groups) <= 65
    assert sum(len(group._offers) + len(group._bundles) for group in ready._groups.values()) < 200
