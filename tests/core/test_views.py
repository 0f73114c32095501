"""What is shown of wide and deep task graphs, and when nothing more will happen in them."""

import json
import random

import pytest

from kortana.core.index import add_task
from kortana.core.state import Limits, State
from kortana.core.task import Task
from kortana.core.views import (
    MAX_CAUSES,
    MAX_UNFINISHED,
    all_finished,
    everybody_waits,
    nobody_takes_any,
    unfinished,
    why,
)
from tests.core.harness import Core


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
        "x holds a until soon unless it renews", "depends on gone, which does not exist",
    ]  # fmt: skip
    assert why(state, "nothing") is None


def test_a_chain_of_causes_goes_by_what_a_blocker_needs() -> None:
    core = Core()
    core.up("x", "y")
    for name, after in (("api", []), ("schema", []), ("page", ["api"])):
        core.add(name, depends_on=after)
    core.claim("x", "api")
    core.say("x", "BLOCKER", "api", reason="no schema yet", needs=["schema", "gone", "done"])
    core.add("done")
    core.claim("y", "done")
    core.say("y", "TASK_UPDATE", "done", status="completed")
    core.claim("y", "schema")
    until = core.state.tasks["api"].lease_expiry
    chain = [
        "x reported on api: no schema yet", "needs schema, which is in_progress",
        f"y holds schema until {core.state.tasks['schema'].lease_expiry} unless it renews",
        "needs gone, which does not exist",
    ]  # fmt: skip
    found = why(core.state, "page")
    assert found is not None and [cause["detail"] for cause in found["causes"]] == [
        "depends on api, which is blocked", f"x holds api until {until} unless it renews", *chain
    ]  # fmt: skip
    found = why(core.state, "api")
    assert found is not None and [(cause["kind"], cause["detail"]) for cause in found["causes"]][:2] == [
        ("leased", f"x holds it until {until} unless it renews"), ("blocked", "x reported: no schema yet")
    ]  # fmt: skip
    assert [cause["kind"] for cause in found["causes"]][2:] == ["need", "leased", "missing_need"]


def _finished_slowly(state: State) -> bool:
    """By its definition: of the tasks that are not over, none could ever be completed, whoever worked on it."""
    tasks = state.tasks
    over = {name for name, task in tasks.items() if task.status in ("completed", "failed", "cancelled")}
    hopeful = {name for name, task in tasks.items() if task.owner is not None}
    while True:
        more = {
            name for name, task in tasks.items() if name not in over | hopeful and all(
                needed not in tasks or tasks[needed].status == "completed" or needed in hopeful
                for needed in (task.blocker["needs"] if task.blocker else task.depends_on)
            )
        }  # fmt: skip
        if not more:
            return not hopeful
        hopeful |= more


def test_when_nothing_more_will_happen() -> None:
    outcomes = {True: 0, False: 0}
    for seed in range(5000):
        rng = random.Random(seed)
        tasks = []
        for n in range(rng.randint(1, 7)):
            status = rng.choice(["pending", "completed", "failed", "cancelled", "blocked"])
            task = Task(f"t{n}", status=status, depends_on=tuple(f"t{m}" for m in range(n) if rng.random() < 0.4))
            if status == "blocked":
                task.owner = "x" if rng.random() < 0.1 else None
                needs = [f"t{m}" for m in range(9) if m != n and rng.random() < 0.3]
                task.blocker = {"reason": "", "by": "x", "needs": needs}
            tasks.append(task)
        state = _state(*tasks)
        assert all_finished(state) == _finished_slowly(state), seed
        outcomes[all_finished(state)] += 1
    assert min(outcomes.values()) > 500


@pytest.mark.timeout(30)
def test_a_long_chain_behind_a_dead_task_is_looked_at_once() -> None:
    links = [Task("t0", status="failed"), *(Task(f"t{n}", depends_on=(f"t{n - 1}",)) for n in range(1, 30_000))]
    assert all_finished(_state(*links))


def test_nobody_takes_any_where_all_wait_for_something_else() -> None:
    core = Core()
    core.up("a", "b")
    assert not everybody_waits(core.state), "no task"
    core.add("t", prompt="Write it")
    core.add("after", run="make", depends_on=["t"])
    core.claim("a", wait_s=60, having=["run"])
    assert not everybody_waits(core.state), "b may yet ask"
    core.claim("b", wait_s=60, having=["run"])
    assert everybody_waits(core.state) and nobody_takes_any(core.state)
    core.add("blocked")
    core.claim("c", "blocked")
    core.say("c", "BLOCKER", "blocked", reason="a person is needed")
    assert not everybody_waits(core.state), "one is held"
    core.say("c", "TASK_RELEASE", "blocked")
    assert not nobody_takes_any(core.state), "one waits for a person"


def test_what_was_not_completed_is_told_with_its_first_cause() -> None:
    state = _state(
        Task("a", status="completed"), Task("b", status="failed", details="twice"), Task("c", depends_on=("b",)),
        Task("d", status="cancelled"),
    )  # fmt: skip
    assert unfinished(state) == [
        {"id": "b", "status": "failed", "why": "b is quarantined: twice"},
        {"id": "c", "status": "pending", "why": "depends on b, which is failed"},
    ]
    assert len(unfinished(_layers(50, 2))) == MAX_UNFINISHED
