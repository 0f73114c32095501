"""one_for_all and rest_for_one: when one worker crashes, its siblings stop first, and all start again in order."""

from typing import Any

from kortana.actors.messages import ScheduleRestart, StartWorker, StopWorker
from kortana.actors.worker_process import LIVE, RESTING


class Regrouping:
    """Owned by the supervisor. workers: its own, by name, in start order."""

    def __init__(self, strategy: str, workers: dict[str, Any]) -> None:
        self._strategy, self._workers = strategy, workers
        self._stopping: dict[str, set[str]] = {}
        """The crashed worker → the siblings that it waits for."""

    def begin(self, crashed: str) -> None:
        """Stops the siblings concerned, in reverse start order."""
        names = list(self._workers)
        concerned = names if self._strategy == "one_for_all" else names[names.index(crashed) :]
        siblings = {n for n in concerned if n != crashed and self._workers[n].view.state in LIVE}
        self._stopping[crashed] = siblings
        for sibling in reversed(names):
            if sibling in siblings:
                self._workers[sibling].ref.tell(StopWorker("sibling"))
        self._finish(crashed)

    def advance(self) -> None:
        """A worker has changed its state."""
        for crashed in list(self._stopping):
            self._finish(crashed)

    def _finish(self, crashed: str) -> None:
        siblings = self._stopping[crashed]
        if any(self._workers[n].view.state not in RESTING for n in siblings):
            return
        del self._stopping[crashed]
        for name, worker in self._workers.items():
            if name == crashed:
                worker.ref.tell(ScheduleRestart())
            elif worker.spec.restart != "temporary" and (name in siblings or self._rests_by_itself(name, crashed)):
                worker.ref.tell(StartWorker("sibling"))

    def _rests_by_itself(self, name: str, crashed: str) -> bool:
        """OTP starts the whole group again, who had exited normally among them; whoever a person stopped, rests."""
        names = list(self._workers)
        concerned = self._strategy == "one_for_all" or names.index(name) > names.index(crashed)
        return concerned and self._workers[name].view.state == "exited"
