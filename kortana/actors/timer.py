"""The timer: tells an actor a message at a time. One heap and one thread for all of them."""

import time
from contextlib import suppress
from typing import Any

import pykka

from kortana.actors.inboxes import DeadlineInbox
from kortana.actors.messages import CancelTimer, DeadlineDue, SetTimer
from kortana.core.deadlines import Deadlines


class TimerActor(pykka.ThreadingActor):
    """Holds at most one timer a key; setting it again moves it."""

    use_daemon_thread = True

    def __init__(self) -> None:
        super().__init__()
        self._due: Deadlines[tuple[str, str]] = Deadlines()
        self._told: dict[tuple[str, str], SetTimer] = {}

    @staticmethod
    def _create_actor_inbox() -> Any:
        return DeadlineInbox()

    def on_receive(self, message: Any) -> None:
        match message:
            case SetTimer():
                self._due.set(message.key, message.due)
                self._told[message.key] = message
            case CancelTimer(key=key):
                self._due.clear(key)
                self._told.pop(key, None)
            case DeadlineDue():
                pass
        for key in self._due.pop_due(time.monotonic()):
            timer = self._told.pop(key)
            with suppress(pykka.ActorDeadError):
                timer.to.tell(timer.message)
        self.actor_inbox.deadline = self._due.next_due()  # type: ignore[attr-defined]
