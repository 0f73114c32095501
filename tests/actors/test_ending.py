"""What `up --exit-when-done` waits for, and what it does not."""

from types import SimpleNamespace
from typing import Any

from kortana.actors.ending import Ending, look_who_is_left, outcome
from kortana.actors.messages import AllTasksDone, LookForEnd, ShutDown
from kortana.core.index import add_task
from kortana.core.state import Limits, State
from kortana.core.task import Task


def _worker(state: str) -> Any:
    return SimpleNamespace(view=SimpleNamespace(state=state))


def _look(*states: str, gone: bool = False) -> tuple[bool, list[Any]]:
    gate: Any = SimpleNamespace(nobody_is_left=gone)
    told: list[Any] = []
    look_who_is_left(states[0], [_worker(state) for state in states], gate, told.append)
    return gate.nobody_is_left, told


def test_workers_that_ended_for_good_are_gone_and_those_that_a_person_stopped_are_not() -> None:
    assert _look("exited", "failed") == (True, [LookForEnd()])
    assert _look("exited", "failed", gone=True) == (True, []), "told once"
    for other in ("running", "starting", "backoff", "parked", "stopped", "stopping", "waiting"):
        assert _look("failed", other) == (False, []), other
    assert _look("starting", "exited", gone=True) == (False, []), "one has come back"


class World:
    def __init__(self, *tasks: Task) -> None:
        self.state = State(Limits())
        for task in tasks:
            add_task(self.state, task)
        self.gate: Any = SimpleNamespace(nobody_is_left=False)
        self.told: list[Any] = []
        self.ending = Ending(self.gate, SimpleNamespace(tell=self.told.append))

    def look(self) -> list[Any]:
        self.ending.look(self.state)
        told, self.told[:] = list(self.told), []
        return told


def test_the_end_of_all_tasks_is_told_once() -> None:
    world = World(Task("a", status="completed"), Task("b", status="failed"))
    assert world.look() == [AllTasksDone(False, False)]
    assert world.look() == []
    add_task(world.state, Task("c", status="completed"))
    assert world.look() == [AllTasksDone(False, False)], "one more task, and again all are over"
    assert World(Task("a", status="completed")).look() == [AllTasksDone(True, False)]
    assert World().look() == [], "there may come some"
    assert World(Task("a")).look() == []


def test_where_nobody_is_left_guests_and_leases_are_waited_for() -> None:
    world = World(Task("a"))
    world.gate.nobody_is_left = True
    guest = world.state.agent("guest")
    guest.up = True
    assert world.look() == []
    guest.up = False
    world.state.deadlines.set("a", 1.0)
    assert world.look() == []
    world.state.deadlines.clear("a")
    assert world.look() == [AllTasksDone(False, True)]
    assert world.look() == []
    world.gate.nobody_is_left = False
    world.look()
    world.gate.nobody_is_left = True
    assert world.look() == [AllTasksDone(False, True)], "nobody is left once more"


def test_what_it_ends_with() -> None:
    exited, failed = [_worker("exited")], [_worker("exited"), _worker("failed")]
    assert outcome(AllTasksDone(True, False), failed) == ShutDown("all tasks are done", 0)
    assert outcome(AllTasksDone(False, False), exited) == ShutDown("no task can go on", 1)
    assert outcome(AllTasksDone(True, True), exited) == ShutDown("no worker is left", 0)
    assert outcome(AllTasksDone(True, True), failed) == ShutDown("no worker is left", 1)
    assert outcome(AllTasksDone(False, True), exited) == ShutDown("no worker is left", 1)
