"""What is shown of wide and deep task graphs, and when nothing more will happen in them."""

import json
import random

import pytest

from kortana.core.index import add_task
from kortana.core.state import Limits, State
from kortana.core.task import Task
from kortana.core.views import MAX_CAUSES, all_finished, why


def _state(*tasks: Task) -> State:
    state = State(Limits())
    for task in tasks:
        add_task(state, task)
    return state


def _layers(width: int, depth: int, **fields: object) -> State:
    """Each task of a layer depends on every task of the one below."""
    return _state(*(
        Task(f"t{layer}-{n}", depends_on=tuple(f"t{layer - 1}-{m}" for m in range(width)) if layer else (), **fields)  # type: ignore[arg-type]
        for layer in range(depth) for n in range(width)
    ))  # fmt: skip


@pytest.mark.timeout(30)
def test_why_names_each_cause_once_however_many_ways_lead_to_it() -> None:
    found = why(_layers(7, 9), "t8-0")
    assert found is not None
    named = [cause["task_id"] for cause in found["causes"] if cause["kind"] == "dependency"]
    assert sorted(named) == sorted({f"t{layer}-{n}" for layer in range(8) for n in range(7)})


@pytest.mark.timeout(30)
def test_why_fits_into_a_frame() -> None:
    found = why(_layers(200, 3, status="failed", details="x" * 8000), "t2-0")
    assert found == {"task": "t2-0", "status": "failed", "causes": found["causes"]} if found else False
    wide = _layers(200, 2)
    for task in wide.tasks.values():
        if task.id.startswith("t0"):
            task.status, task.details = "failed", "x" * 8000
    found = why(wide, "t1-0")
    assert found is not None
    assert found["causes"][-1]["kind"] == "more" and len(found["causes"]) <= MAX_CAUSES + 2
    assert len(json.dumps(found)) < 64 * 1024


def test_a_chain_of_causes_goes_down_to_what_can_be_done() -> None:
    state = _state(
        Task("a", status="in_progress", owner="x", lease_expiry="soon"), Task("b", depends_on=("a",)),
        Task("c", depends_on=("b", "gone")), Task("d", depends_on=("c",)),
    )  # fmt: skip
    found = why(state, "d")
    assert found is not None
    assert [cause["detail"] for cause in found["causes"]] == [
        "depends on c, which is pending", "depends on b, which is pending", "depends on a, which is in_progress",
        "depends on gone, which does not exist",
    ]  # fmt: skip
    assert why(state, "nothing") is None


def _finished_slowly(state: State) -> bool:
    """By its definition: every task is over, or some way down from it ends at one that failed or was cancelled."""

    def is_stuck(name: str) -> bool:
        task = state.tasks.get(name)
        if task is None or task.status == "completed":
            return False
        return task.status in ("failed", "cancelled") or any(is_stuck(needed) for needed in task.depends_on)

    return all(
        task.status in ("completed", "failed", "cancelled") or (task.owner is None and is_stuck(task.id))
        for task in state.tasks.values()
    )


def test_when_nothing_more_will_happen() -> None:
    outcomes = set()
    for seed in range(3000):
        rng = random.Random(seed)
        tasks = []
        for n in range(rng.randint(1, 7)):
            status = rng.choice(["pending", "completed", "failed", "cancelled", "blocked"])
            owner = "x" if status == "blocked" and rng.random() < 0.2 else None
            needs = tuple(f"t{m}" for m in range(n) if rng.random() < 0.4)
            tasks.append(Task(f"t{n}", status=status, owner=owner, depends_on=needs))
        state = _state(*tasks)
        assert all_finished(state) == _finished_slowly(state), seed
        outcomes.add(all_finished(state))
    assert outcomes == {True, False}


@pytest.mark.timeout(30)
def test_a_long_chain_behind_a_dead_task_is_looked_at_once() -> None:
    links = [Task("t0", status="failed"), *(Task(f"t{n}", depends_on=(f"t{n - 1}",)) for n in range(1, 30_000))]
    assert all_finished(_state(*links))
