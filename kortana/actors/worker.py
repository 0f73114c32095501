"""One actor for each worker: its life from waiting to stopped, through starts, crashes and backoff."""

import secrets
import signal
from collections.abc import Callable
from typing import Any

import msgspec
import pykka

from kortana.actors.alarms import Alarms
from kortana.actors.budget import Restarts
from kortana.actors.environment import EnvFileError
from kortana.actors.messages import (
    AgentSaidHello,
    Alarm,
    Decide,
    GaveUp,
    LauncherBack,
    LauncherGone,
    PeerChanged,
    Report,
    RestartWorker,
    ScheduleRestart,
    StartWorker,
    StopWorker,
    TakeOver,
    WorkerActorDied,
    WorkerChanged,
    WorkerCrashed,
)
from kortana.actors.services import Services
from kortana.actors.worker_view import WorkerView
from kortana.config.spec import WorkerSpec
from kortana.core.commands import AgentDown, AgentUp
from kortana.core.restart import classify, verdict
from kortana.ports import ProcessExit
from kortana.processes.messages import Exited, LogMatched, NotRunning, Started, StartFailed

LIVE = frozenset({"starting", "running", "stopping"})
RESTING = frozenset({"stopped", "exited", "failed", "parked"})
UNKNOWN_EXIT = ProcessExit(None, None, False, 0.0, 0.0, 0, 0, [])


class WorkerActor(pykka.ThreadingActor):
    """Owns one worker's life. Tells the supervisor of each state, and the coordinator of each birth and death.

    State `waiting` (for others), `starting` (until ready), `running`, `backoff` (until its next start),
    `stopping`, and at rest `stopped`, `exited`, `failed`, `parked` (quota).
    """

    use_daemon_thread = True

    def __init__(self, spec: WorkerSpec, name: str, services: Services, view: WorkerView) -> None:
        super().__init__()
        self._spec, self._name, self._is = spec, name, services
        self._alarms = Alarms(name, self.actor_ref, services.timer, services.clock)
        self._restarts = Restarts(spec, services.tree_budget)
        self._intent: str | None = None
        """Why its process is being ended, written down before the first signal."""
        self._then_start: str | None = None
        self._awaited = dict(spec.start_after)
        self.view = view
        services.gate.declare(name)

    def on_receive(self, message: Any) -> Any:
        match message:
            case Report(message=report):
                self._on_report(report)
            case StartWorker(cause=cause):
                self._on_start(cause)
            case StopWorker(cause=cause):
                self._on_stop(cause)
            case RestartWorker(cause=cause):
                self._on_restart(cause)
            case AgentSaidHello(incarnation=incarnation):
                self._on_hello(incarnation)
            case PeerChanged(name=name, reached=reached):
                self._on_peer(name, reached)
            case Alarm(name=name):
                if self._alarms.take(message):
                    _ALARMS[name](self)
            case TakeOver(error=error):
                self._take_over(error)
            case ScheduleRestart():
                if self.view.state == "backoff":
                    self.schedule_restart()
            case LauncherGone():
                self._on_launcher_gone()
            case LauncherBack():
                if self.view.state == "backoff":
                    self._launch("launcher")
        return True

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._alarms.cancel_all()
        self._is.supervisor.tell(WorkerActorDied(self._name, self.actor_ref, repr(exception_value)))

    def _take_over(self, error: str) -> None:
        """The actor before this one died: a process that may live is ended as a failure, a pending start comes."""
        view = self.view
        if view.state in LIVE:
            view.failing = f"its actor died: {error}"
            if view.state == "stopping":
                self._intent = "user"
            self._is.launcher.kill_tree(self._name, view.incarnation)
        elif view.state == "waiting" and not self._awaited:
            self._launch("boot")
        elif view.state in ("new", "backoff"):
            self.schedule_restart()

    # orders

    def _on_start(self, cause: str) -> None:
        view = self.view
        if cause == "user":
            self._restarts.clear()
        if view.state == "stopping":
            self._then_start = cause
        elif view.state in RESTING or view.state in ("new", "backoff"):
            if self._awaited and cause != "user":
                self._enter("waiting", after=dict(self._awaited))
            else:
                self._launch(cause)

    def _on_stop(self, cause: str) -> None:
        view = self.view
        self._then_start = None
        self._alarms.cancel("backoff")
        if view.state in ("starting", "running"):
            self._end_process(cause)
        elif view.state == "stopping":
            if cause == "down":
                self._intent = cause
        elif view.state not in RESTING or cause == "user":
            self._enter("stopped", cause=cause)

    def _on_restart(self, cause: str) -> None:
        if self.view.state in ("starting", "running"):
            self._then_start = cause
            self._end_process(cause)
        else:
            self._on_start(cause)

    def _on_peer(self, peer: str, reached: frozenset[str]) -> None:
        if self._awaited.get(peer) in reached:
            del self._awaited[peer]
            if not self._awaited and self.view.state == "waiting":
                self._launch("boot")

    # starting

    def _launch(self, cause: str) -> None:
        view = self.view
        view.incarnation += 1
        view.ready = False
        self._intent = None
        token = secrets.token_urlsafe(24)
        try:
            spec = self._is.make_spec(self._spec, self._name, view.incarnation, token)
        except EnvFileError as error:
            self._enter("failed", error=str(error))
            return
        self._is.gate.hand_out(self._name, token, view.incarnation)
        self._enter("starting", cause=cause)
        self._is.launcher.start(spec)

    def _on_report(self, report: Any) -> None:
        if report.incarnation != self.view.incarnation:
            return
        match report:
            case Started():
                self._on_started(report)
            case StartFailed(error=error):
                self._on_start_failed(error)
            case LogMatched(line=line):
                if self._spec.ready.type == "log":
                    self._become_ready(line=line)
            case Exited(exit=how):
                self._on_exited(how)
            case NotRunning():
                self._on_exited(UNKNOWN_EXIT)

    def _on_start_failed(self, error: str) -> None:
        self._is.gate.withdraw(self._name)
        self._log("start_failed", error=error)
        self.view.failing = error
        self._after_exit(UNKNOWN_EXIT, self._intent is not None)

    def _on_started(self, report: Started) -> None:
        view = self.view
        view.pid, view.start_ticks = report.pid, report.start_ticks
        view.started_at = self._is.clock.monotonic()
        self._log("started")
        up = AgentUp(self._name, report.pid, view.incarnation, True, self._spec.capabilities)
        self._is.tell_coordinator(Decide(up))
        if view.state == "stopping":
            return
        self._tell_state(frozenset({"started"}))
        if self._spec.ready.type == "started":
            self._become_ready()
        else:
            self._alarms.set("ready", self._spec.ready.timeout)

    def _become_ready(self, **evidence: Any) -> None:
        if self.view.state != "starting":
            return
        self._alarms.cancel("ready")
        self.view.ready = True
        self._enter("running", reached=frozenset({"started", "ready"}), **evidence)
        if self._spec.backoff.reset_after > 0:
            self._alarms.set("healthy", self._spec.backoff.reset_after)

    def _on_hello(self, incarnation: int) -> None:
        if incarnation != self.view.incarnation:
            return
        if self._spec.ready.type == "hello":
            self._become_ready()
        if self._spec.liveness.heartbeat_timeout > 0 and not self._alarms.is_set("liveness"):
            self._alarms.set("liveness", self._spec.liveness.heartbeat_timeout)

    def _on_ready_late(self) -> None:
        if self.view.state == "starting":
            self._log("unhealthy", cause="readiness timeout", timeout_s=self._spec.ready.timeout)
            self._fail_process("readiness timeout")

    def _on_healthy(self) -> None:
        if self.view.state == "running":
            self._restarts.healthy()

    def _on_liveness(self) -> None:
        """Looks when the agent was last heard; one look in each timeout."""
        timeout = self._spec.liveness.heartbeat_timeout
        seen = self._is.gate.last_seen(self._name)
        if seen is None or self.view.state not in ("starting", "running"):
            return
        silent = self._is.clock.monotonic() - seen
        if silent < timeout:
            self._alarms.set("liveness", timeout - silent)
            return
        self._log("unhealthy", cause="heartbeat timeout", silent_s=round(silent, 3), timeout_s=timeout)
        if self._spec.liveness.action == "restart":
            self._fail_process("heartbeat timeout")
        else:
            self._alarms.set("liveness", timeout)

    # ending

    def _end_process(self, cause: str) -> None:
        """A wanted end: the intent is written first, then the stop signal, and after the grace the whole tree."""
        self._intent = cause
        self.view.ready = False
        stop = self._spec.stop
        self._log("intent", action="stop", cause=cause, signal=stop.signal)
        self._enter("stopping", cause=cause)
        self._is.launcher.signal(self._name, self.view.incarnation, signal.Signals[stop.signal])
        self._alarms.set("grace", stop.grace)

    def _fail_process(self, why: str) -> None:
        """An unwanted end of a worker that is unwell: counts as a crash."""
        self.view.failing = why
        self._log("intent", action="kill", cause=why, signal="SIGKILL")
        self._is.launcher.kill_tree(self._name, self.view.incarnation)

    def _on_grace_over(self) -> None:
        self._log("intent", action="kill", cause="grace is over", signal="SIGKILL")
        self._is.launcher.kill_tree(self._name, self.view.incarnation)

    def _on_exited(self, how: ProcessExit) -> None:
        if self.view.state not in LIVE:
            return
        intended = self._intent is not None
        kind = classify(how.code, how.signal, self._spec.success_exit_codes, self._spec.quota_exit_codes, intended)
        clean = kind in ("normal", "intended")
        detail = self._intent or self.view.failing or (how.signal or f"exit code {how.code}")
        self._is.gate.withdraw(self._name)
        self._is.tell_coordinator(Decide(AgentDown(self._name, self.view.incarnation, clean, detail)))
        self._log(
            "exited" if clean else "crashed", code=how.code, signal=how.signal, core_dumped=how.core_dumped,
            user_s=how.user_s, system_s=how.system_s, max_rss_bytes=how.max_rss_bytes, swept=how.swept,
            uptime_s=self.view.uptime_s(self._is.clock.monotonic()), cause=detail, intent=self._intent,
        )  # fmt: skip
        self._after_exit(how, intended)

    def _after_exit(self, how: ProcessExit, intended: bool) -> None:
        spec, view = self._spec, self.view
        self._alarms.cancel_all()
        view.ended(how, (self._intent if intended else view.failing) or "")
        if intended:
            self._after_stop()
            return
        kind = classify(how.code, how.signal, spec.success_exit_codes, spec.quota_exit_codes, False)
        if view.failing_seen():
            kind = "crash"
        match verdict(spec.restart, kind):
            case "restart":
                self._want_restart()
            case "park":
                self._enter("parked", cause="quota", retry_in_s=spec.quota_delay)
                self._alarms.set("backoff", spec.quota_delay)
            case _:
                self._enter("exited" if kind == "normal" else "failed", reached=frozenset({"exited"}))

    def _after_stop(self) -> None:
        cause, self._then_start = self._then_start, None
        if cause is not None:
            self._launch(cause)
        else:
            self._enter("stopped", cause=self._intent, reached=frozenset({"exited"}))

    def _want_restart(self) -> None:
        now = self._is.clock.monotonic()
        refusal = self._restarts.refusal(now)
        if refusal is not None:
            self._give_up(refusal)
        elif self._is.strategy != "one_for_one":
            self._enter("backoff", cause="strategy")
            self._is.supervisor.tell(WorkerCrashed(self._name))
        else:
            self.schedule_restart()

    def schedule_restart(self) -> None:
        """Backs off; the start comes back through the mailbox, so that a stop can come between."""
        delay = self._restarts.next_delay_s(self._is.draw())
        self.view.restarts += 1
        used = self._restarts.used(self._is.clock.monotonic())
        self._enter("backoff", delay_s=round(delay, 6), window_used=used, intensity=self._spec.intensity)
        if delay <= 0:
            self.actor_ref.tell(StartWorker("restart"))
        else:
            self._alarms.set("backoff", delay)

    def _give_up(self, scope: str) -> None:
        self._enter("failed", cause=f"restart budget of the {scope} is used up", reached=frozenset({"exited"}))
        self._log("gave_up", scope=scope, intensity=self._spec.intensity, period_s=self._spec.period)
        self._is.supervisor.tell(GaveUp(self._name, scope))

    def _on_backoff_over(self) -> None:
        if self.view.state in ("backoff", "parked"):
            self._launch("restart")

    def _on_launcher_gone(self) -> None:
        """Its process died with the launcher, through no fault of its own: it starts again with the new one."""
        if self.view.state not in LIVE:
            return
        was_stopping = self.view.state == "stopping"
        self._alarms.cancel_all()
        self._is.gate.withdraw(self._name)
        down = AgentDown(self._name, self.view.incarnation, True, "the launcher died")
        self._is.tell_coordinator(Decide(down))
        self._log("crashed", cause="the launcher died", caused_by="parent")
        self.view.ended(msgspec.structs.replace(UNKNOWN_EXIT, signal="SIGKILL"), "the launcher died")
        if was_stopping:
            self._after_stop()
        else:
            self.view.restarts += 1
            self._enter("backoff", cause="launcher")

    # telling

    def _enter(self, state: str, reached: frozenset[str] = frozenset(), **fields: Any) -> None:
        self.view.state = state
        self._log(state, **fields)
        self._tell_state(reached)

    def _tell_state(self, reached: frozenset[str]) -> None:
        self._is.supervisor.tell(WorkerChanged(self._name, self.view.state, reached))

    def _log(self, event: str, **fields: Any) -> None:
        view = self.view
        self._is.log(
            event, worker=self._name, incarnation=view.incarnation, pid=view.pid, start_ticks=view.start_ticks, **fields
        )


_ALARMS: dict[str, Callable[[WorkerActor], None]] = {
    "ready": WorkerActor._on_ready_late,
    "healthy": WorkerActor._on_healthy,
    "liveness": WorkerActor._on_liveness,
    "grace": WorkerActor._on_grace_over,
    "backoff": WorkerActor._on_backoff_over,
}
