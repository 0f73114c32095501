"""The process of one worker, from its launch through readiness and health to its end. Decides no restarts."""

import secrets
import signal
from abc import abstractmethod
from typing import Any

import pykka

from kortana.actors.alarms import Alarms
from kortana.actors.budget import Restarts
from kortana.actors.environment import EnvFileError
from kortana.actors.messages import Decide, WorkerChanged
from kortana.actors.services import Services
from kortana.actors.worker_view import WorkerView
from kortana.config.spec import WorkerSpec
from kortana.core.commands import AgentDown, AgentUp
from kortana.core.restart import classify
from kortana.ports import ProcessExit
from kortana.processes.messages import Exited, LogMatched, NotRunning, Started, StartFailed

LIVE = frozenset({"starting", "running", "stopping"})
RESTING = frozenset({"stopped", "exited", "failed", "parked"})
UNKNOWN_EXIT = ProcessExit(None, None, False, 0.0, 0.0, 0, 0, [])


class ProcessOwner(pykka.ThreadingActor):
    """Starts a worker's process, follows it and ends it; `_after_exit` is for who decides what comes then."""

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

    @abstractmethod
    def _after_exit(self, how: ProcessExit, intended: bool) -> None:
        """The process and all it started are gone."""

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
