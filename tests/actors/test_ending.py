"""What `up --exit-when-done` waits for, and what it does not."""

from types import SimpleNamespace
from typing import Any

import msgspec

from kortana.actors.ending import STILL_S, Ending, look_who_is_left, outcome
from kortana.actors.messages import AllTasksDone, LookForEnd, ShutDown
from kortana.core.index import add_task
from kortana.core.state import Limits, State
from kortana.core.task import Task
from kortana.core.views import unfinished
from kortana.core.waiting import Waiter
from kortana.protocol.event import Event


def _worker(state: str, agent: str | None = None) -> Any:
    return SimpleNamespace(view=SimpleNamespace(state=state), spec=SimpleNamespace(agent=agent))


def _look(*states: str, gone: bool = False) -> tuple[bool, list[Any]]:
    gate: Any = SimpleNamespace(nobody_is_left=gone, only_adapters=gone)
    told: list[Any] = []
    look_who_is_left(states[0], [_worker(state) for state in states], gate, told.append)
    return gate.nobody_is_left, told


def test_workers_that_ended_for_good_are_gone_and_those_that_a_person_stopped_are_not() -> None:
    assert _look("exited", "failed") == (True, [LookForEnd()])
    assert _look("exited", "failed", gone=True) == (True, []), "told once"
    for other in ("running", "starting", "backoff", "parked", "stopped", "stopping", "waiting"):
        assert _look("failed", other) == (False, []), other
    assert _look("starting", "exited", gone=True) == (False, []), "one has come back"


def _adapters(*workers: Any) -> tuple[bool, list[Any]]:
    gate: Any = SimpleNamespace(nobody_is_left=False, only_adapters=False)
    told: list[Any] = []
    look_who_is_left(workers[0].view.state, workers, gate, told.append)
    return gate.only_adapters, told


def test_adapters_that_run_only_do_what_they_claim_and_whatever_else_may_do_anything() -> None:
    shell = _worker("running", "shell")
    assert _adapters(shell, _worker("exited")) == (True, [LookForEnd()])
    for other in (_worker("running"), _worker("parked", "claude"), _worker("backoff", "shell")):
        assert _adapters(shell, other) == (False, [])


class World:
    def __init__(self, *tasks: Task) -> None:
        self.state = State(Limits())
        for task in tasks:
            add_task(self.state, task)
        self.gate: Any = SimpleNamespace(nobody_is_left=False, only_adapters=False)
        self.told: list[Any] = []
        self.ending = Ending(self.gate, SimpleNamespace(tell=self.told.append))

    def shell_waits(self) -> None:
        """An adapter is up, and waits for a task with something to run."""
        self.state.agent("shell").up = True
        claim = Event("e", "", "shell", "coordinator", "TASK_CLAIM", None, "normal", {}, True)
        self.state.waiters.add(Waiter(claim, 1, None, 1, "nothing_ready", False, frozenset({"run"})), 1.0)

    def look(self, now: float = 0.0, changed: bool = True) -> list[Any]:
        self.ending.look(self.state, now, changed)
        told, self.told[:] = [msgspec.structs.replace(message, unfinished=[]) for message in self.told], []
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


def test_adapters_that_all_wait_for_another_kind_of_task_are_the_end_after_a_while() -> None:
    world = World(Task("a", prompt="Write it"))
    world.shell_waits()
    assert world.look() == [] and world.ending.next_due() is None, "other workers may do anything"
    world.gate.only_adapters = True
    assert world.look(1.0) == [] and world.ending.next_due() == 1.0 + STILL_S
    assert world.look(2.0, changed=False) == [] and world.ending.next_due() == 1.0 + STILL_S
    guest = world.state.agent("guest")
    guest.up = True
    assert world.look(3.0) == [] and world.ending.next_due() is None, "a guest may take it"
    guest.up = False
    assert world.look(4.0) == [] and world.ending.next_due() == 4.0 + STILL_S
    world.ending.look(world.state, 4.0 + STILL_S, changed=False)
    assert world.told.pop() == AllTasksDone(False, False, unfinished(world.state))
    assert unfinished(world.state)[0]["why"].startswith("those that wait for a task ask for one with run")
    assert world.look(50.0) == [] and world.ending.next_due() is None, "told once"


def test_the_while_begins_anew_with_each_change_and_what_was_looked_at_in_vain_is_not_looked_at_again() -> None:
    world = World(Task("a", prompt="Write it"), Task("b", status="blocked", blocked=True))
    world.shell_waits()
    world.gate.only_adapters = True
    world.look(1.0)
    add_task(world.state, Task("c", prompt="And this"))
    assert world.look(5.0) == [] and world.ending.next_due() == 5.0 + STILL_S
    assert world.look(5.0 + STILL_S, changed=False) == [], "b waits for a person"
    assert world.look(30.0) == [] and world.ending.next_due() is None
    add_task(world.state, Task("d", prompt="And that"))
    assert world.look(31.0) == [] and world.ending.next_due() == 31.0 + STILL_S


def test_nothing_is_due_any_more_where_nobody_is_left() -> None:
    world = World(Task("a", prompt="Write it"))
    world.shell_waits()
    world.gate.only_adapters = True
    world.look(1.0)
    world.gate.nobody_is_left = True
    world.look(1.0 + STILL_S, changed=False)
    assert world.ending.next_due() is None


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
