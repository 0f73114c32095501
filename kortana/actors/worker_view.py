"""What is known of a worker: read by `ps`, written by its actor alone."""

import time
from collections import deque
from typing import Any

import pykka

from kortana.actors.messages import Flush
from kortana.config.spec import WorkerSpec
from kortana.ports import ProcessExit
from kortana.processes.crash_record import Moment
from kortana.protocol.timestamps import iso_from_ms

LIVE = frozenset({"starting", "running", "stopping"})
RESTING = frozenset({"stopped", "exited", "failed", "parked"})
"""States with a process, and states that last until somebody wants another one."""


class WorkerView:
    def __init__(self, name: str) -> None:
        self.name = name
        self.state = "new"
        self.pid: int | None = None
        self.start_ticks: int | None = None
        self.incarnation = 0
        self.restarts = 0
        self.ready = False
        self.started_at: float | None = None
        self.intent: str | None = None
        """Why its process is being ended, or was, written down before the first signal."""
        self.then_start: str | None = None
        """Why it starts again after that."""
        self.failing: str | None = None
        """Why Kortana itself is ending it as a failure."""
        self.last_exit: dict[str, Any] | None = None
        self.restarted_at: deque[float] = deque(maxlen=1000)
        """Its restarts (monotonic)."""
        self.next_at: float | None = None
        """When its next start is due (monotonic), while it backs off or is parked."""
        self._had_failed = False

    def uptime_s(self, now: float) -> float | None:
        return None if self.started_at is None else round(now - self.started_at, 3)

    def moment(self, now: float, **restart: Any) -> Moment:
        """What a record says of it just now. restart: what comes next."""
        return Moment(self.pid, self.uptime_s(now), self.ready, restart)

    def ended(self, how: ProcessExit, reason: str, crash_id: str | None = None) -> None:
        """Its process is gone."""
        self._note_exit(how.code, how.signal, reason, crash_id)
        self._had_failed = self.failing is not None
        self.pid = self.start_ticks = self.started_at = self.failing = None
        self.ready = False

    def never_began(self, reason: str) -> None:
        """It could not even be started."""
        self._note_exit(None, None, reason, None)

    def _note_exit(self, code: int | None, signal: str | None, reason: str, crash_id: str | None) -> None:
        at = iso_from_ms(time.time_ns() // 1_000_000)
        self.last_exit = {"code": code, "signal": signal, "reason": reason, "at": at, "crash_id": crash_id}

    def is_stopping_for(self, cause: str) -> bool:
        return self.state == "stopping" and self.intent == cause

    def failing_seen(self) -> bool:
        """Whether the last end was Kortana's doing, because the worker was unwell."""
        return self._had_failed

    def row(self, now: float) -> dict[str, Any]:
        """Its part of `ps --json` that the supervisor knows."""
        return {
            "name": self.name,
            "state": "waiting" if self.state == "new" else self.state,
            "pid": self.pid,
            "incarnation": self.incarnation,
            "restarts": self.restarts,
            "uptime_s": self.uptime_s(now),
            "ready": self.ready,
            "last_exit": self.last_exit,
        }


class Worker:
    """A worker as its supervisor sees it."""

    def __init__(self, spec: WorkerSpec, name: str) -> None:
        self.spec, self.name = spec, name
        self.view = WorkerView(name)
        self.ref: Any = None
        self.reached: set[str] = set()
        self._undelivered: list[Any] = []
        """What came while its actor was dead and had no successor yet."""

    def tell(self, message: Any) -> None:
        """Tells its actor; where that has just died, the one that takes over."""
        try:
            self.ref.tell(message)
        except pykka.ActorDeadError:
            self._undelivered.append(message)

    def order(self, message: Any, timeout_s: float) -> None:
        """As `tell`, and waits until it has been handled; not for an actor that is stuck, or dies of it."""
        self.tell(message)
        try:
            self.ref.ask(Flush(), timeout=timeout_s)
        except (pykka.Timeout, pykka.ActorDeadError):
            pass

    def hand_over(self, ref: Any, messages: list[Any]) -> None:
        """Another actor takes over: it is told these first, and then what could not be delivered."""
        self.ref = ref
        undelivered, self._undelivered = self._undelivered, []
        for message in (*messages, *undelivered):
            self.tell(message)

    def window_used(self, now: float) -> int:
        """Restarts that count against its budget."""
        return sum(now - at <= self.spec.period for at in self.view.restarted_at)
