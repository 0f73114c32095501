"""The process of one worker, from its launch through readiness and health to its end. Decides no restarts."""

import signal
from abc import abstractmethod
from typing import Any

import msgspec
import pykka

from kortana.actors.alarms import Alarms
from kortana.actors.budget import Restarts
from kortana.actors.crash_recorder import Draft
from kortana.actors.environment import EnvFileError
from kortana.actors.messages import Decide, ProbeSucceeded, WorkerChanged
from kortana.actors.probes import PROBED, Probe, why_not_ready
from kortana.actors.services import Services
from kortana.actors.successor import Successor
from kortana.actors.teller import Teller
from kortana.actors.worker_view import LIVE, RESTING, WorkerView
from kortana.config.spec import WorkerSpec
from kortana.core.commands import AgentDown, AgentUp
from kortana.core.restart import classify
from kortana.core.verdict import Death
from kortana.ports import ProcessExit
from kortana.processes.crash_record import CrashName
from kortana.processes.crash_report import death_of
from kortana.processes.messages import Exited, LogMatched, NotRunning, Started, StartFailed, Withdrawn
from kortana.processes.threads import starting_threads

STACKS_GRACE_S = 0.2
"""How long a hung Python worker has to write its stacks."""
UNKNOWN_EXIT = ProcessExit(None, None, False, 0.0, 0.0, 0, 0)


class ProcessOwner(pykka.ThreadingActor):
    """Starts a worker's process, follows it and ends it; `_after_exit` is for who decides what comes then."""

    use_daemon_thread = True

    def __init__(self, spec: WorkerSpec, name: str, services: Services, view: WorkerView) -> None:
        super().__init__()
        self._spec, self._name, self._is = spec, name, services
        self._tell = Teller()
        timer = services.timer
        self._alarms = Alarms(name, self.actor_ref, lambda message: self._tell(timer.tell, message), services.clock)
        self._restarts = Restarts(spec, services.tree_budget)
        self._awaited = dict(spec.start_after)
        self._probe: Probe | None = None
        self._unready = ""
        self._env: dict[str, str] = {}
        self._crash_id: str | None = None
        self._restart_facts: dict[str, Any] = {}
        """What was decided about the last death, for its record."""
        self._successor = Successor(name, services, view)
        self.view = view
        services.gate.declare(name)

    def _start_actor_loop(self) -> None:
        """Raises OSError where the system allows no more threads; then there is no such actor."""
        try:
            with starting_threads():
                super()._start_actor_loop()
        except OSError:
            pykka.ActorRegistry.unregister(self.actor_ref)
            raise

    @abstractmethod
    def _after_exit(self, how: ProcessExit, intended: bool) -> None:
        """The process and all it started are gone."""

    # starting

    def _launch(self, cause: str) -> None:
        self.view.ready, self.view.intent = False, None
        if not self._is.launcher.is_open():
            self._enter("backoff", cause="launcher")  # until LauncherBack
            return
        try:
            process = self._successor.take(self._spec)
        except EnvFileError as error:
            self.view.never_began(str(error))
            self._enter("failed", error=str(error), reached=frozenset({"exited"}))
            return
        self._env = dict(process.env)
        with self._tell.quietly():
            self._enter("starting", cause=cause)
            self._successor.begin(process)
        self._is.recorder.versions.refresh(self._spec.cwd)

    def _on_report(self, report: Any) -> None:
        if isinstance(report, Withdrawn):
            self._is.log("withdrawn", worker=self._name, incarnation=report.incarnation, pid=report.pid)
            return
        if report.incarnation != self.view.incarnation:
            return
        match report:
            case Started():
                self._on_started(report)
            case StartFailed(error=error):
                self._on_start_failed(error)
            case LogMatched(line=line) if self._spec.ready.type == "log":
                self._become_ready(line=line)
            case Exited(exit=how, kept=kept):
                self._on_exited(how, kept)
            case NotRunning():
                self._on_exited(UNKNOWN_EXIT)

    def _on_start_failed(self, error: str) -> None:
        draft = self._is.recorder.begin(self._name, self.view.incarnation)
        self._is.gate.withdraw(self._name)
        self._log("start_failed", error=error, crash_id=draft.id)
        self.view.failing = error
        self._conclude(UNKNOWN_EXIT, self.view.intent is not None, draft, Death(start_error=error))

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
            return
        self._alarms.set("ready", self._spec.ready.timeout)
        if self._spec.ready.type in PROBED:
            incarnation = view.incarnation
            self._probe = Probe(
                self._spec.ready, self._spec.cwd, self._env, lambda: self.actor_ref.tell(ProbeSucceeded(incarnation))
            )
            self._probe.start()

    def _on_probe(self, incarnation: int) -> None:
        if incarnation == self.view.incarnation and self._spec.ready.type in PROBED:
            self._become_ready(caused_by="probe")

    def _stop_probe(self) -> None:
        if self._probe is not None:
            self._probe.stop()
            self._probe = None

    def _become_ready(self, **evidence: Any) -> None:
        if self.view.state != "starting":
            return
        self._alarms.cancel("ready")
        self._stop_probe()
        self.view.ready = True
        self._log("ready", **evidence)
        self._successor.appoint(self._spec, self._restarts)
        self._enter("running", reached=frozenset({"started", "ready"}), **evidence)
        if self._spec.backoff.reset_after > 0:
            self._alarms.set("healthy", self._spec.backoff.reset_after)

    def _on_hello(self, incarnation: int) -> None:
        if incarnation != self.view.incarnation:
            return
        if self._spec.ready.type == "hello":
            self._become_ready()
        liveness = self._spec.liveness
        if liveness.heartbeat_timeout > 0 and not self._alarms.is_set("liveness"):
            self._alarms.set("liveness", liveness.heartbeat_timeout)
        if liveness.progress_timeout > 0 and not self._alarms.is_set("progress"):
            self._alarms.set("progress", liveness.progress_timeout)

    def _on_ready_late(self) -> None:
        if self.view.state == "starting":
            ready = self._spec.ready
            self._unready = why_not_ready(ready, self._probe)
            self._stop_probe()
            self._log(
                "unhealthy", cause="readiness timeout", timeout_s=ready.timeout, caused_by="probe", said=self._unready
            )  # fmt: skip
            self._fail_process("readiness timeout")

    def _on_healthy(self) -> None:
        if self.view.state == "running":
            self._restarts.healthy()

    def _on_liveness(self) -> None:
        """Looks when the agent was last heard; one look in each timeout."""
        timeout = self._spec.liveness.heartbeat_timeout
        self._check_clock("liveness", "heartbeat timeout", timeout, self._is.gate.last_seen(self._name))

    def _on_progress(self) -> None:
        """Looks when the agent last got anywhere with what it holds."""
        timeout = self._spec.liveness.progress_timeout
        self._check_clock("progress", "progress timeout", timeout, self._is.gate.last_progress(self._name))

    def _check_clock(self, alarm: str, what: str, timeout: float, last: float | None) -> None:
        if last is None or self.view.state not in ("starting", "running"):
            return
        silent = self._is.clock.monotonic() - last
        if silent < timeout:
            self._alarms.set(alarm, timeout - silent)
            return
        self._log("unhealthy", cause=what, silent_s=round(silent, 3), timeout_s=timeout, caused_by="probe")
        if self._spec.liveness.action == "restart":
            self._fail_process(what)
        else:
            self._alarms.set(alarm, timeout)

    # ending

    def _end_process(self, cause: str) -> None:
        """A wanted end: the intent is written first, then the stop signal, and after the grace the whole tree."""
        self.view.intent = cause
        self.view.ready = False
        self._stop_probe()
        self._successor.discard()
        stop = self._spec.stop
        self._log("intent", action="stop", cause=cause, signal=stop.signal, caused_by=cause)
        self._enter("stopping", cause=cause)
        self._is.launcher.signal(self._name, self.view.incarnation, signal.Signals[stop.signal])
        self._log("signalled", signal=stop.signal, caused_by=cause)
        self._alarms.set("grace", stop.grace)

    def _fail_process(self, why: str) -> None:
        """An unwanted end of a worker that is unwell: counts as a crash.

        A Python worker is first asked for its stacks.
        """
        self.view.failing = why
        self._log("intent", action="kill", cause=why, signal="SIGKILL", caused_by="probe")
        if self._spec.command is None:
            self._is.launcher.ask_stacks(self._name, self.view.incarnation)
            self._alarms.set("stacks", STACKS_GRACE_S)
        else:
            self._on_stacks_over()

    def _on_stacks_over(self) -> None:
        self._is.launcher.kill_tree(self._name, self.view.incarnation)
        self._log("signalled", signal="SIGKILL", caused_by="probe")

    def _on_grace_over(self) -> None:
        self._log("intent", action="kill", cause="grace is over", signal="SIGKILL", caused_by=self.view.intent)
        self._is.launcher.kill_tree(self._name, self.view.incarnation)
        self._log("signalled", signal="SIGKILL", caused_by=self.view.intent)

    def _on_exited(self, how: ProcessExit, kept: CrashName | None = None) -> None:
        if self.view.state not in LIVE:
            return
        with self._tell.quietly():
            self._mourn(how, kept)

    def _mourn(self, how: ProcessExit, kept: CrashName | None) -> None:
        intended = self.view.intent is not None
        kind = classify(how.code, how.signal, self._spec.success_exit_codes, self._spec.quota_exit_codes, intended)
        if self.view.failing and not intended:
            kind = "crash"
        is_crash, has_record = kind == "crash", kind in ("crash", "quota")
        detail = self.view.intent or self.view.failing or (how.signal or f"exit code {how.code}")
        draft = self._is.recorder.begin(self._name, self.view.incarnation, kept) if has_record else None
        crash_id = draft.id if draft else None
        self._is.gate.withdraw(self._name)
        blamed = crash_id if is_crash else None
        down = AgentDown(self._name, self.view.incarnation, not is_crash, detail, crash_id=blamed)
        self._tell(self._is.tell_coordinator, Decide(down))
        self._log(
            "crashed" if is_crash else "exited", code=how.code, signal=how.signal, core_dumped=how.core_dumped,
            user_s=how.user_s, system_s=how.system_s, max_rss_bytes=how.max_rss_bytes, swept=how.swept,
            uptime_s=self.view.uptime_s(self._is.clock.monotonic()), cause=detail, intent=self.view.intent,
            crash_id=crash_id, caused_by=self.view.intent or ("OOM" if how.oom_kills else None),
        )  # fmt: skip
        unready, self._unready = self._unready, ""
        self._conclude(how, intended, draft, death_of(how, self.view.failing or "", unready, kind == "quota"))

    def _conclude(self, how: ProcessExit, intended: bool, draft: Draft | None, death: Death) -> None:
        """Decides what comes next, and seals the record; a successor starts by a message that comes after."""
        view = self.view
        moment = view.moment(self._is.clock.monotonic())
        self._stop_probe()
        self._crash_id = draft.id if draft and not intended else None
        self._restart_facts = {}
        self._after_exit(how, intended)
        if draft is None or intended:
            return
        moment = msgspec.structs.replace(moment, restart={"state": view.state, **self._restart_facts})
        verdict = self._is.recorder.seal(draft, self._spec, self._env, how, death, moment)
        view.last_exit = {**(view.last_exit or {}), "reason": verdict.summary}

    # telling

    def _enter(self, state: str, reached: frozenset[str] = frozenset(), **fields: Any) -> None:
        self.view.state = state
        if state in RESTING:
            self._successor.discard()
        self._log(state, **fields)
        self._tell_state(reached)

    def _tell_state(self, reached: frozenset[str]) -> None:
        self._tell(self._is.supervisor.tell, WorkerChanged(self._name, self.view.state, reached))

    def _log(self, event: str, **fields: Any) -> None:
        view = self.view
        self._is.log(
            event, worker=self._name, incarnation=view.incarnation, pid=view.pid, start_ticks=view.start_ticks, **fields
        )
