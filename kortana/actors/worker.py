"""One actor for each worker: its life from waiting to stopped, through starts, crashes and backoff."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from kortana.actors.budget import Restarts
from kortana.actors.messages import (
    AgentSaidHello,
    Alarm,
    AllHeard,
    Decide,
    GaveUp,
    HearAll,
    LauncherBack,
    LauncherGone,
    PeerChanged,
    ProbeSucceeded,
    Reconfigure,
    Report,
    RestartWorker,
    ScheduleRestart,
    StartWorker,
    StopWorker,
    TakeOver,
    WorkerActorDied,
    WorkerCrashed,
)
from kortana.actors.worker_process import UNKNOWN_EXIT, ProcessOwner
from kortana.actors.worker_view import LIVE, RESTING
from kortana.config.spec import WorkerSpec
from kortana.core.commands import AgentDown
from kortana.core.restart import classify, verdict
from kortana.core.verdict import Death
from kortana.ports import ProcessExit
from kortana.processes.crash_report import ACTOR_DIED

ASK_AGAIN_S = 5.0
"""A coordinator that is being restarted has forgotten who asked."""


class WorkerActor(ProcessOwner):
    """Owns one worker's life. Tells the supervisor of each state, and the coordinator of each birth and death.

    State `waiting` (for others), `starting` (until ready), `running`, `backoff` (until its next start),
    `stopping`, and at rest `stopped`, `exited`, `failed`, `parked` (quota).
    """

    def on_receive(self, message: Any) -> Any:
        match message:
            case Report(message=report):
                self._on_report(report)
            case StartWorker(cause=cause, group=group):
                self._on_start(cause, group)
            case StopWorker(cause=cause):
                self._on_stop(cause)
            case RestartWorker(cause=cause):
                self._on_restart(cause)
            case AgentSaidHello(incarnation=incarnation):
                self._on_hello(incarnation)
            case ProbeSucceeded(incarnation=incarnation):
                self._on_probe(incarnation)
            case Reconfigure(spec=spec, awaited=awaited):
                self._on_reconfigured(spec, awaited)
            case PeerChanged(name=name, reached=reached):
                self._on_peer(name, reached)
            case Alarm(name=name):
                if self._alarms.take(message):
                    self._ask_around(name) if name in _OF_SILENCE else _ALARMS[name](self)
            case AllHeard(alarm=name, incarnation=incarnation):
                if incarnation == self.view.incarnation and self._alarms.is_set(name):
                    self._alarms.cancel(name)
                    _ALARMS[name](self)
            case TakeOver(error=error):
                self._take_over(error)
            case ScheduleRestart(group=group):
                if self.view.state == "backoff":
                    self._await_again(group)
                    self.schedule_restart()
            case LauncherGone():
                self._on_launcher_gone()
            case LauncherBack(group=group):
                if self.view.state == "backoff":
                    self._await_again(group)
                    self._start_in_order("launcher")
        return True

    def _ask_around(self, alarm: str) -> None:
        """It may have spoken, and not have been heard: while Kortana stood still (Ctrl-Z), or waited for the disk."""
        self._alarms.set(alarm, ASK_AGAIN_S)
        self._is.tell_coordinator(HearAll(self.actor_ref, AllHeard(alarm, self.view.incarnation)))

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._alarms.cancel_all()
        unread = tuple(self._take_unread())
        self._is.supervisor.tell(WorkerActorDied(self._name, self.actor_ref, repr(exception_value), unread))

    def _take_unread(self) -> Iterator[Any]:
        """What was told and is still in the mailbox, but for its own alarms, and what any successor is told anew. Who
        asks something learns of its death."""
        asked = []
        while not self.actor_inbox.empty():
            envelope = self.actor_inbox.get()
            if envelope.reply_to is not None:
                asked.append(envelope)
            elif not isinstance(envelope.message, Alarm | PeerChanged | TakeOver):
                yield envelope.message
        for envelope in asked:
            self.actor_inbox.put(envelope)

    def _take_over(self, error: str) -> None:
        """The actor before this one died: a process that may live is ended as a failure, a pending start comes."""
        view = self.view
        for incarnation in (view.incarnation, view.incarnation + 1):
            self._is.launcher.discard(self._name, incarnation)
        if view.state in LIVE:
            view.failing = f"{ACTOR_DIED}{error}"
            self._is.launcher.kill_tree(self._name, view.incarnation)
        elif view.state == "waiting" and not self._awaited:
            self._launch("boot")
        elif view.state in ("new", "backoff"):
            self.schedule_restart()
        elif view.state == "parked" and view.next_at is not None:
            self._alarms.set("backoff", max(view.next_at - self._is.clock.monotonic(), 0.0))
        self._tell_state(frozenset())

    # orders

    def _on_start(self, cause: str, group: frozenset[str] = frozenset()) -> None:
        view = self.view
        if cause == "restart" and view.state != "backoff":
            return  # a stop came between
        if cause == "sibling" and view.intent not in (None, "sibling"):
            return  # a person stopped it while its group was ending
        if cause == "user":
            self._restarts.clear()
        if view.state == "stopping":
            view.then_start = cause
        elif view.state in RESTING or view.state in ("new", "backoff") or (view.state, cause) == ("waiting", "user"):
            self._await_again(group)
            self._start_in_order(cause)

    def _await_again(self, group: frozenset[str]) -> None:
        self._awaited |= {peer: wanted for peer, wanted in self._spec.start_after.items() if peer in group}

    def _start_in_order(self, cause: str) -> None:
        """At once where nothing is waited for, or a person wants it so."""
        if self._awaited and cause != "user":
            self._enter("waiting", after=dict(self._awaited))
        else:
            self._launch(cause)

    def _on_stop(self, cause: str) -> None:
        view = self.view
        view.then_start = None
        self._alarms.cancel("backoff")
        if view.state in ("starting", "running"):
            self._end_process(cause)
        elif view.state == "stopping":
            if cause != "sibling":
                view.intent = cause
        elif view.state not in RESTING or cause == "user":
            self._enter("stopped", cause=cause)

    def _on_restart(self, cause: str) -> None:
        if self.view.state in ("starting", "running"):
            self.view.then_start = cause
            self._end_process(cause)
        else:
            self._on_start(cause)

    def _on_peer(self, peer: str, reached: frozenset[str]) -> None:
        if self._awaited.get(peer) in reached:
            del self._awaited[peer]
            if not self._awaited and self.view.state == "waiting":
                self._launch("boot")

    # after an exit

    def _after_exit(self, how: ProcessExit, intended: bool) -> None:
        spec, view = self._spec, self.view
        self._alarms.cancel_all()
        view.ended(how, (self.view.intent if intended else view.failing) or "", self._crash_id)
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
                self._restart_facts = {"retry_in_s": spec.quota_delay}
                self.view.next_at = self._is.clock.monotonic() + spec.quota_delay
                self._enter("parked", cause="quota", retry_in_s=spec.quota_delay)
                self._alarms.set("backoff", spec.quota_delay)
            case _:
                self._enter("exited" if kind == "normal" else "failed", reached=frozenset({"exited"}))

    def _after_stop(self) -> None:
        cause, self.view.then_start = self.view.then_start, None
        if cause is not None:
            self._launch(cause)
        else:
            self._enter("stopped", cause=self.view.intent, reached=frozenset({"exited"}))

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
        self.view.restarted_at.append(self._is.clock.monotonic())
        used = self._restarts.used(self._is.clock.monotonic())
        self._restart_facts = {
            "delay_s": round(delay, 6), "window_used": used, "intensity": self._spec.intensity,
            "period_s": self._spec.period,
        }  # fmt: skip
        self.view.next_at = self._is.clock.monotonic() + delay
        if delay <= 0 and not self._awaited:
            self._successor.prepare(self._spec)
        self._log("restarting", **self._restart_facts)
        self._enter("backoff", **self._restart_facts)
        if delay <= 0:
            self.actor_ref.tell(StartWorker("restart"))
        else:
            self._alarms.set("backoff", delay)

    def _give_up(self, scope: str) -> None:
        self._enter("failed", cause=f"restart budget of the {scope} is used up", reached=frozenset({"exited"}))
        self._restart_facts = {"gave_up": scope, "intensity": self._spec.intensity, "period_s": self._spec.period}
        self._log("gave_up", scope=scope, intensity=self._spec.intensity, period_s=self._spec.period)
        self._is.supervisor.tell(GaveUp(self._name, scope))

    def _on_backoff_over(self) -> None:
        if self.view.state in ("backoff", "parked"):
            self._launch("restart")

    def _on_launcher_gone(self) -> None:
        """Its process died with the launcher, through no fault of its own: it starts again with the new one."""
        self._successor.forget()
        if self.view.state not in LIVE:
            return
        was_stopping = self.view.state == "stopping"
        self._alarms.cancel_all()
        self._stop_probe()
        draft = None if was_stopping else self._is.recorder.begin(self._name, self.view.incarnation)
        self._is.gate.withdraw(self._name)
        crash_id = draft.id if draft else None
        down = AgentDown(self._name, self.view.incarnation, True, "the launcher died", crash_id=crash_id)
        self._is.tell_coordinator(Decide(down))
        self._log("crashed", cause="the launcher died", caused_by="parent", crash_id=crash_id)
        how = msgspec.structs.replace(UNKNOWN_EXIT, signal="SIGKILL")
        moment = self.view.moment(self._is.clock.monotonic(), state="backoff")
        self.view.ended(how, "the launcher died", crash_id)
        if draft is None:
            self._after_stop()
            return
        self.view.restarts += 1
        self._enter("backoff", cause="launcher")
        death = Death(None, "SIGKILL", launcher_died=True)
        self._is.recorder.seal(draft, self._spec, self._env, how, death, moment)

    def _on_reconfigured(self, spec: WorkerSpec, awaited: dict[str, str]) -> None:
        """One that was stopped, or is being stopped, goes on with that. Any other had ended, or waits, because of what
        it was declared to be, which is what has changed."""
        self._successor.discard()
        self._spec = spec
        self._restarts = Restarts(spec, self._is.tree_budget)
        self._awaited = dict(awaited)
        state = self.view.state
        if state in ("starting", "running"):
            self._on_restart("config")
        elif state in ("waiting", "backoff", "exited", "failed", "parked"):
            self._alarms.cancel("backoff")
            self._start_in_order("config")


_OF_SILENCE = frozenset({"ready", "liveness", "progress"})
"""Alarms that mean that nothing has been heard."""
_ALARMS: dict[str, Callable[[WorkerActor], None]] = {
    "ready": WorkerActor._on_ready_late,
    "healthy": WorkerActor._on_healthy,
    "liveness": WorkerActor._on_liveness,
    "progress": WorkerActor._on_progress,
    "stacks": WorkerActor._on_stacks_over,
    "grace": WorkerActor._on_grace_over,
    "backoff": WorkerActor._on_backoff_over,
}
