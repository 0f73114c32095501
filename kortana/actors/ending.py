"""When `up --exit-when-done` has nothing more to wait for."""

from collections.abc import Callable, Collection
from typing import Any

from kortana.actors.admission import Gate
from kortana.actors.messages import AllTasksDone, LookForEnd, ShutDown
from kortana.actors.worker_view import Worker
from kortana.core.state import State
from kortana.core.views import all_finished, everybody_waits, nobody_takes_any, unfinished

GONE = frozenset({"exited", "failed"})
"""At rest, and neither by a person's wish nor until a quota is back."""
STILL_S = 10.0
"""So long a guest has to come, where all workers wait and none takes what is left."""


def look_who_is_left(state: str, workers: Collection[Worker], gate: Gate, tell: Callable[[Any], None]) -> None:
    """For the supervisor, when a worker has changed to a state: where all have ended for good, the coordinator looks
    whether anybody else is there; and where only adapters run, whether there is anything that they can do."""
    before = gate.nobody_is_left, gate.only_adapters
    gate.nobody_is_left = state in GONE and all(worker.view.state in GONE for worker in workers)
    gate.only_adapters = all(
        worker.view.state in GONE or (worker.view.state == "running" and worker.spec.agent is not None)
        for worker in workers
    )
    if (gate.nobody_is_left and not before[0]) or (gate.only_adapters and not before[1]):
        tell(LookForEnd())


def outcome(message: AllTasksDone, workers: Collection[Worker]) -> ShutDown:
    """How the tree ends then."""
    if not message.alone:
        return ShutDown("all tasks are done", 0) if message.completed else ShutDown("no task can go on", 1)
    failed = any(worker.view.state == "failed" for worker in workers)
    return ShutDown("no worker is left", 0 if message.completed and not failed else 1)


class Ending:
    """Looks at the tasks once for each change of them, and tells the supervisor. gate: knows whether any worker is
    left."""

    def __init__(self, gate: Gate, supervisor: Any) -> None:
        self._gate, self._supervisor = gate, supervisor
        self._looked_at = -1
        self._told_of = -1
        self._told_alone = False
        self._still_since: float | None = None
        self._still_at = self._in_vain_at = -1

    def look(self, state: State, now: float, changed: bool) -> None:
        """now: monotonic seconds. Where nothing has changed, only what is due is looked at."""
        due = self.next_due()
        if not changed and (due is None or now < due):
            return
        if self._gate.nobody_is_left:
            self._still_since = None
            if not self._told_alone and not len(state.deadlines) and not any(a.up for a in state.agents.values()):
                self._told_alone = True
                self._tell(state, alone=True)
            return
        self._told_alone = False
        if self._stands_still(state, now):
            self._told_of = len(state.tasks)
            return self._tell(state, alone=False)
        if state.ready or state.counts.get("in_progress") or not state.tasks or state.changes == self._looked_at:
            return
        self._looked_at = state.changes
        if self._told_of != len(state.tasks) and all_finished(state):
            self._told_of = len(state.tasks)
            self._tell(state, alone=False)

    def next_due(self) -> float | None:
        """When to look although nothing has changed (monotonic), or None."""
        return None if self._still_since is None else self._still_since + STILL_S

    def _stands_still(self, state: State, now: float) -> bool:
        """Whether no task has changed for a while, in which a guest might have come, and no worker takes any.

        All tasks are looked at only then: somebody may add many, one by one, while all others wait.
        """
        known = self._told_of == len(state.tasks) or self._in_vain_at == state.changes
        if not self._gate.only_adapters or known or not everybody_waits(state):
            self._still_since = None
            return False
        if self._still_since is None or self._still_at != state.changes:
            self._still_since, self._still_at = now, state.changes
        if now - self._still_since < STILL_S:
            return False
        self._still_since, self._in_vain_at = None, state.changes
        return nobody_takes_any(state)

    def _tell(self, state: State, alone: bool) -> None:
        completed = state.counts.get("completed", 0) == len(state.tasks)
        self._supervisor.tell(AllTasksDone(completed, alone, [] if completed else unfinished(state)))
