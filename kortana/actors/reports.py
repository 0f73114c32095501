"""The way of the launcher's reports to the workers' actors."""

from typing import Any

import pykka

from kortana.actors.messages import LauncherReported, Report
from kortana.processes.messages import OfWorker


class Reports:
    """The supervisor says whose actor is which; the launcher's link passes on, on its own thread."""

    def __init__(self) -> None:
        self._actors: dict[str, Any] = {}
        self.supervisor: Any = None

    def enlist(self, worker: str, actor: Any) -> None:
        self._actors[worker] = actor

    def forget(self, worker: str) -> None:
        self._actors.pop(worker, None)

    def pass_on(self, message: OfWorker | None) -> None:
        """None, that the launcher is gone, is for the supervisor."""
        actor = self._actors.get(message.worker) if message is not None else self.supervisor
        if actor is None:
            return  # a worker that is no more
        if message is None:
            actor.tell(LauncherReported(None))
            return
        try:
            actor.tell(Report(message))
        except pykka.ActorDeadError:  # its successor is told by the supervisor, which knows when there is one
            self.supervisor.tell(LauncherReported(message))
