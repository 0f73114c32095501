"""Workers that are to be: the actors of all of them are there before anything is changed, or those of none."""

from collections.abc import Mapping
from typing import Any

import msgspec

from kortana.actors.reports import Reports
from kortana.actors.services import Services
from kortana.actors.worker import WorkerActor
from kortana.actors.worker_view import Worker
from kortana.config.spec import Config, WorkerSpec


def with_replicas(spec: WorkerSpec, config: Config) -> WorkerSpec:
    """`start_after: {flash: ready}` waits for every replica of flash."""
    names = {w.name: w.replica_names() for w in config.workers}
    after = {peer: wanted for base, wanted in spec.start_after.items() for peer in names[base]}
    return msgspec.structs.replace(spec, start_after=after)


class Recruits:
    def __init__(self, services: Services, reports: Reports) -> None:
        self._is, self._reports = services, reports
        self._called: dict[str, Worker] = {}

    def employ(self, worker: Worker, config: Config) -> Any:
        """Starts an actor for a worker. Raises OSError where the system allows no more threads."""
        ref = WorkerActor.start(with_replicas(worker.spec, config), worker.name, self._is, worker.view)
        self._reports.enlist(worker.name, ref)
        return ref

    def call(self, specs: Mapping[str, WorkerSpec], config: Config) -> None:
        """Has workers ready to be taken, by name. Raises OSError where the system allows no more threads: then none
        is."""
        for name, spec in specs.items():
            worker = self._called[name] = Worker(spec, name)
            try:
                worker.ref = self.employ(worker, config)
            except OSError:
                for called in self._called.values():
                    self.forget(called)
                self._called.clear()
                raise

    def take(self, name: str, spec: WorkerSpec, config: Config) -> Worker:
        """One that was called, or is only now: it was still leaving then, and has gone since. Raises OSError."""
        if name not in self._called:
            self.call({name: spec}, config)
        return self._called.pop(name)

    def forget(self, worker: Worker) -> None:
        """It is no worker any more; nothing of it runs."""
        self._reports.forget(worker.name)
        if worker.ref is not None:
            worker.ref.stop(block=False)
        self._is.gate.undeclare(worker.name)
