"""The supervisor actor: owns coordinator, persistence and workers; starts, stops and restarts them."""

from collections.abc import Callable
from typing import Any

import pykka

from kortana.actors import control
from kortana.actors.applying import replicas_of
from kortana.actors.core_actors import CoreActors
from kortana.actors.core_care import CoreCare
from kortana.actors.ending import look_who_is_left, outcome
from kortana.actors.messages import (
    AgentSaidHello,
    AllTasksDone,
    ChildDied,
    Control,
    Decide,
    GaveUp,
    LauncherBack,
    LauncherGone,
    LauncherReported,
    MailboxFull,
    PeerChanged,
    Reconfigure,
    RelayDied,
    Report,
    RestartCore,
    RestartRelay,
    ShutDown,
    StartWorker,
    StopWorker,
    TakeOver,
    WorkerActorDied,
    WorkerChanged,
    WorkerCrashed,
)
from kortana.actors.recruits import Recruits, with_replicas
from kortana.actors.regrouping import Regrouping
from kortana.actors.relay_care import RelayCare
from kortana.actors.reports import Reports
from kortana.actors.services import Services
from kortana.actors.worker_view import RESTING, Worker
from kortana.config.spec import Config, WorkerSpec
from kortana.core.commands import Drain
from kortana.core.restart import Window

LAUNCHER_INTENSITY, LAUNCHER_PERIOD_S = 5, 60.0
ACTOR_INTENSITY, ACTOR_PERIOD_S = 20, 60.0


class SupervisorActor(pykka.ThreadingActor):
    """The root. Everything below it is started by `begin`, and ends before `finished` is called.

    workers: is filled here, and read by who prints the summary.
    finished: is called once, with the exit code, when nothing of the tree is left but the launcher.
    """

    use_daemon_thread = True

    def __init__(
        self,
        config: Config,
        core: CoreActors,
        services: Services,
        reports: Reports,
        log: Callable[..., None],
        finished: Callable[[int], None],
        reopen_launcher: Callable[[], None],
        exit_when_done: bool,
        workers: dict[str, Worker],
        make_relay: Callable[[Any], Any] | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.core = core
        self.services = services
        self.workers = workers
        self.down: ShutDown | None = None
        self.pending_controls: list[control.Pending] = []
        self._relay = RelayCare(make_relay, services, log)
        self.leaving: set[str] = set()
        """Workers that are no longer declared, and not yet at rest."""
        self.recruits = Recruits(services, reports)
        self.log = log
        self._finished = finished
        self._reopen_launcher = reopen_launcher
        self._exit_when_done = exit_when_done
        self._regrouping = Regrouping(config.supervisor.strategy, workers)
        self._care = CoreCare(
            core, services, workers, log, lambda: self._relay.ref, lambda error: self._shut_down(ShutDown(error, 1))
        )
        self._launchers = Window(LAUNCHER_INTENSITY, LAUNCHER_PERIOD_S)
        self._actor_deaths = Window(ACTOR_INTENSITY, ACTOR_PERIOD_S)
        self._over = False
        self._fallen: frozenset[str] = frozenset()
        """Workers that the last launcher took along, or that were about to start."""
        self.began_at = services.clock.monotonic()
        services.supervisor = core.supervisor = reports.supervisor = self.actor_ref

    def begin(self) -> None:
        """Starts coordinator and persistence, then the workers in the order of the file. Raises OSError where the
        system has not enough threads for them."""
        self.core.start(fresh=True)
        self._relay.start()
        for name, spec in replicas_of(self.config).items():
            self.workers[name] = self.recruits.take(name, spec, self.config)
            self.log("declared", worker=name)
        self.core.declare(self.workers)
        for worker in self.workers.values():
            worker.tell(StartWorker("boot"))

    def hire(self, spec: WorkerSpec, name: str) -> None:
        """A worker that was not declared before: one that is still leaving comes back, another one has been called."""
        self.leaving.discard(name)
        if name in self.workers:
            self.change(spec, name)
            self.workers[name].tell(StartWorker("config"))
            return
        self.workers[name] = worker = self.recruits.take(name, spec, self.config)
        self.log("declared", worker=name)
        self.core.declare([name])
        for other in self.workers.values():
            worker.tell(PeerChanged(other.name, frozenset(other.reached)))
        worker.tell(StartWorker("boot"))

    def change(self, spec: WorkerSpec, name: str) -> None:
        """Another declaration of a worker."""
        worker = self.workers[name]
        worker.spec = spec
        self.log("config_applied", worker=name)
        self.declare(worker)

    def declare(self, worker: Worker) -> None:
        """Tells a worker what it is, and whom it still waits for."""
        spec = with_replicas(worker.spec, self.config)
        reached = {other.name: other.reached for other in self.workers.values()}
        awaited = {peer: wanted for peer, wanted in spec.start_after.items() if wanted not in reached.get(peer, ())}
        worker.order(Reconfigure(spec, awaited), control.INSPECT_TIMEOUT_S)

    def dismiss(self, name: str) -> None:
        """Stops a worker, and forgets it once it is at rest."""
        self.leaving.add(name)
        self.workers[name].tell(StopWorker("config"))
        self._see_off()

    def _see_off(self) -> None:
        for name in list(self.leaving):
            worker = self.workers[name]
            if worker.view.state in RESTING:
                self.leaving.discard(name)
                del self.workers[name]
                self.recruits.forget(worker)
                self.log("removed", worker=name, caused_by="config")
        control.settle(self)

    def on_receive(self, message: Any) -> Any:
        match message:
            case WorkerChanged():
                self._on_changed(message)
            case AgentSaidHello(agent=name):
                if name in self.workers:
                    self.workers[name].tell(message)
            case LauncherReported(message=report):
                if report is None:
                    self._on_launcher_gone()
                elif report.worker in self.workers:
                    self.workers[report.worker].tell(Report(report))
            case LauncherBack():
                for worker in self.workers.values():
                    worker.tell(LauncherBack(self._fallen))
            case Control():
                control.obey(self, message)
            case WorkerCrashed(name=name):
                if self.down is None:
                    self._regrouping.begin(name)
            case GaveUp(name=name, scope=scope):
                self._on_gave_up(name, scope)
            case WorkerActorDied():
                self._on_worker_actor_died(message)
            case ChildDied():
                self._care.on_child_died(message)
            case RestartCore():
                self._care.on_retry()
            case RelayDied(error=error):
                if self.down is None:
                    self._relay.on_died(error)
            case RestartRelay():
                if self.down is None:
                    self._relay.start()
            case MailboxFull(agent=name, dropped=dropped):
                self.log("mailbox_full", agent=name, dropped=dropped)
            case AllTasksDone():
                if self._exit_when_done:
                    self.core.left_over = message.unfinished
                    self._shut_down(outcome(message, self.workers.values()))
            case ShutDown():
                self._shut_down(message)
        return True

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        """Without its root nothing of the tree may go on: the main thread ends it all."""
        self.log("supervisor_died", error=repr(exception_value))
        self._finished(1)

    def shut_down(self, cause: str, code: int) -> None:
        self._shut_down(ShutDown(cause, code))

    # workers

    def _on_changed(self, message: WorkerChanged) -> None:
        worker = self.workers.get(message.name)
        if worker is None:
            return
        worker.reached |= message.reached
        if self._exit_when_done:
            look_who_is_left(message.state, self.workers.values(), self.services.gate, self.core.tell_coordinator)
        if message.reached:
            for other in self.workers.values():
                if other.spec.start_after:
                    other.tell(PeerChanged(message.name, message.reached))
        self._see_off()
        self._regrouping.advance()
        if self.down is not None:
            self._stop_next()

    def _on_worker_actor_died(self, message: WorkerActorDied) -> None:
        """A new actor takes the worker over, its view and its process with it, and what the old one had not read."""
        worker = self.workers.get(message.name)
        if worker is None or worker.ref is not message.ref:
            return
        self.log("actor_died", worker=message.name, error=message.error)
        if not self._actor_deaths.admit(self.services.clock.monotonic()):
            cause = f"{ACTOR_INTENSITY + 1} actors died in {ACTOR_PERIOD_S:g} s"
            self.log("shutting_down", cause=cause, code=1)
            self._finished(1)
            return
        peers = [PeerChanged(other.name, frozenset(other.reached)) for other in self.workers.values()]
        worker.hand_over(self.recruits.employ(worker, self.config), [*peers, TakeOver(message.error), *message.unread])

    def _on_gave_up(self, name: str, scope: str) -> None:
        if self.config.supervisor.on_give_up == "exit":
            self._shut_down(ShutDown(f"{name}: the restart budget of the {scope} is used up", 1))

    def _on_launcher_gone(self) -> None:
        if self.down is not None and self._over:
            return
        self.log("launcher_gone")
        begun = ("starting", "running", "backoff")
        self._fallen = frozenset(name for name, worker in self.workers.items() if worker.view.state in begun)
        for worker in self.workers.values():
            worker.tell(LauncherGone())
        if self._launchers.admit(self.services.clock.monotonic()):
            self._reopen_launcher()
        else:
            self._shut_down(ShutDown(f"the launcher died {LAUNCHER_INTENSITY + 1} times in {LAUNCHER_PERIOD_S:g} s", 1))

    # down

    def _shut_down(self, message: ShutDown) -> None:
        if self.down is not None:
            return
        self.down = message
        self._regrouping.cancel()
        self.log("shutting_down", cause=message.cause, code=message.code)
        self.core.tell_coordinator(Decide(Drain()))
        self._stop_next()

    def _stop_next(self) -> None:
        """Stops, in reverse start order, every worker that no worker still alive was started after."""
        assert self.down is not None
        if self._over:
            return
        needed: set[str] = set()
        busy = False
        for worker in reversed(list(self.workers.values())):
            if worker.view.state in RESTING:
                continue
            busy = True
            if worker.spec.name not in needed and not worker.view.is_stopping_for("down"):
                worker.tell(StopWorker("down"))
            needed.update(worker.spec.start_after)
        if not busy:
            self._over = True
            for unfinished in self.core.finish():
                self.log("core_not_finished", error=unfinished)
            self.log("stopped", cause=self.down.cause, code=self.down.code)
            control.settle_down(self)
            self._finished(self.down.code)
