"""Brings coordinator and persistence back after one of them has died, and tells them what they have missed."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pykka

from kortana.actors.core_actors import CoreActors
from kortana.actors.messages import ChildDied, Decide, RelayResubmit, RestartCore, SetTimer
from kortana.actors.services import Services
from kortana.core.commands import AgentDown, AgentUp
from kortana.ports import JournalGone

CORE_RETRY_MAX_S = 5.0
CORE_HEALTHY_S = 60.0
JOURNAL_RETRY_S = 1.0


class CoreCare:
    """The supervisor's care for the two. workers: all of them, by name. relay: the relay's actor, or None. give_up:
    is told why they cannot be brought back."""

    def __init__(
        self,
        core: CoreActors,
        services: Services,
        workers: dict[str, Any],
        log: Callable[..., None],
        relay: Callable[[], Any],
        give_up: Callable[[str], None],
    ) -> None:
        self._core, self._services, self._workers, self._log, self._relay = core, services, workers, log, relay
        self._give_up = give_up
        self._failures = 0
        self._failed_at = 0.0

    def on_child_died(self, message: ChildDied) -> None:
        if message.generation != self._core.generation:
            return
        self._log("core_died", actor=message.name, error=message.error)
        self._core.stop()
        now = self._services.clock.monotonic()
        if now - self._failed_at > CORE_HEALTHY_S:
            self._failures = 0
        self._failed_at = now
        if message.journal:
            self._restart(message.error)
        elif self._failures == 0:
            self._restart()
        else:
            self._retry_later(min(0.1 * 2**self._failures, CORE_RETRY_MAX_S))

    def _retry_later(self, delay: float) -> None:
        due = self._services.clock.monotonic() + delay
        self._services.timer.tell(SetTimer(("supervisor", "core"), due, self._services.supervisor, RestartCore()))

    def on_retry(self) -> None:
        """After a failed start, or while the journal takes no records: is it worth while to try again?"""
        if self._core.unavailable and not self._core.has_room():
            self._retry_later(JOURNAL_RETRY_S)
            return
        self._core.stop()
        self._restart()

    def _restart(self, unavailable: str = "") -> None:
        """Brings both back; `unavailable` says why for now there is only reading."""
        self._failures += 1
        try:
            state = self._core.start(fresh=False, unavailable=unavailable)
        except JournalGone as error:
            self._core.stop()
            self._give_up(str(error))
            return
        except Exception as error:
            self._log("core_start_failed", error=repr(error))
            self._core.stop()
            self._retry_later(CORE_RETRY_MAX_S)
            return
        if unavailable:
            self._log("journal_unavailable", error=unavailable)
            self._retry_later(JOURNAL_RETRY_S)
            return
        self._core.declare(self._workers)
        for worker in self._workers.values():
            agent = state.get(worker.name)
            view = worker.view
            if view.pid is not None and agent != (True, view.incarnation):
                capabilities = worker.spec.capabilities
                up = AgentUp(worker.name, view.pid, view.incarnation, True, capabilities)
                self._core.tell_coordinator(Decide(up))
            elif view.pid is None and agent is not None and agent[0]:
                down = AgentDown(worker.name, agent[1], False, "ended while the coordinator was down")
                self._core.tell_coordinator(Decide(down))
        self._log("core_restarted", generation=self._core.generation)
        relay = self._relay()
        if relay is not None:
            with suppress(pykka.ActorDeadError):  # then its successor asks anew
                relay.tell(RelayResubmit())
