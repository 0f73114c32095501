"""Brings the relay back after it has died: at once, and where it dies again and again, after a while."""

from collections.abc import Callable
from typing import Any

from kortana.actors.messages import RestartRelay, SetTimer
from kortana.actors.services import Services
from kortana.core.restart import Window

RELAY_INTENSITY, RELAY_PERIOD_S = 3, 10.0
RELAY_PAUSE_S = 10.0


class RelayCare:
    """The supervisor's care for it. make: starts one, told who its supervisor is; None where none is wanted."""

    def __init__(self, make: Callable[[Any], Any] | None, services: Services, log: Callable[..., None]) -> None:
        self._make, self._services, self._log = make, services, log
        self._deaths = Window(RELAY_INTENSITY, RELAY_PERIOD_S)
        self.ref: Any = None

    def start(self) -> None:
        """It reads on from its saved positions."""
        if self._make is not None:
            self.ref = self._make(self._services.supervisor)

    def on_died(self, error: str) -> None:
        """One that cannot live must not cost the others theirs: it has a budget of its own, and never ends the tree."""
        self._log("actor_died", worker="relay", error=error)
        now = self._services.clock.monotonic()
        if self._deaths.admit(now):
            self.start()
            return
        self._log("relay_paused", for_s=RELAY_PAUSE_S, error=error)
        due = now + RELAY_PAUSE_S
        self._services.timer.tell(SetTimer(("supervisor", "relay"), due, self._services.supervisor, RestartRelay()))
