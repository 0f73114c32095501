"""one_for_all and rest_for_one: when one worker crashes, its siblings stop first, and all start again in order."""

from typing import Any

import msgspec

from kortana.actors.messages import ScheduleRestart, StartWorker, StopWorker
from kortana.actors.worker_view import LIVE, RESTING


class Regrouping:
    """Owned by the supervisor. workers: its own, by name, in start order."""

    def __init__(self, strategy: str, workers: dict[str, Any]) -> None:
        self._strategy, self._workers = strategy, workers
        self._groups: dict[str, _Group] = {}
        """By the worker that crashed."""

    def begin(self, crashed: str) -> None:
        """Stops the siblings concerned, in reverse start order."""
        if crashed not in self._workers:
            return  # it is no worker any more
        names = list(self._workers)
        first = names.index(crashed) if self._strategy == "rest_for_one" else 0
        concerned = [name for name in names[first:] if name != crashed]
        views = {name: self._workers[name].view for name in concerned}
        stopping = {name: view.incarnation for name, view in views.items() if view.state in LIVE}
        self._groups[crashed] = _Group(stopping, frozenset(concerned))
        for sibling in reversed(stopping):
            self._workers[sibling].tell(StopWorker("sibling"))
        self._finish(crashed)

    def advance(self) -> None:
        """A worker has changed its state, or is no more."""
        for crashed in list(self._groups):
            self._finish(crashed)

    def cancel(self) -> None:
        """Nobody is to be started again."""
        self._groups.clear()

    def _finish(self, crashed: str) -> None:
        group = self._groups[crashed]
        if any(self._still_runs(name, incarnation) for name, incarnation in group.stopping.items()):
            return
        del self._groups[crashed]
        together = frozenset(name for name in self._workers if name == crashed or self._starts_again(name, group))
        for name, worker in self._workers.items():
            if name in together:
                worker.tell(ScheduleRestart(together) if name == crashed else StartWorker("sibling", together))

    def _still_runs(self, name: str, incarnation: int) -> bool:
        """One that a person has started again meanwhile is not waited for."""
        worker = self._workers.get(name)
        return worker is not None and worker.view.incarnation == incarnation and worker.view.state not in RESTING

    def _starts_again(self, name: str, group: "_Group") -> bool:
        """OTP starts the whole group again, who had exited normally among them; whoever a person stopped, rests."""
        worker = self._workers[name]
        was_stopped = name in group.stopping and worker.view.intent == "sibling" and worker.view.state in RESTING
        had_exited = name in group.concerned and worker.view.state == "exited"
        return worker.spec.restart != "temporary" and (was_stopped or had_exited)


class _Group(msgspec.Struct, frozen=True):
    """Of one crash."""

    stopping: dict[str, int]
    """Siblings that are waited for → their incarnations."""
    concerned: frozenset[str]
