"""An actor's own timers, by name; one that was cancelled or set anew never rings, however late it is in the mailbox."""

from collections.abc import Callable
from typing import Any

from kortana.actors.messages import Alarm, CancelTimer, SetTimer
from kortana.ports import Clock


class Alarms:
    """Owned by one actor: the timer tells `to` an Alarm when one is due. tell: hands the timer a message."""

    def __init__(self, owner: str, to: Any, tell: Callable[[Any], None], clock: Clock) -> None:
        self._owner, self._to, self._tell, self._clock = owner, to, tell, clock
        self._tokens: dict[str, int] = {}
        self._used = 0

    def set(self, name: str, after_s: float) -> None:
        """Rings once, after so many seconds; moves an alarm of that name."""
        self._used += 1
        self._tokens[name] = self._used
        due = self._clock.monotonic() + after_s
        self._tell(SetTimer((self._owner, name), due, self._to, Alarm(name, self._used)))

    def is_set(self, name: str) -> bool:
        return name in self._tokens

    def take(self, alarm: Alarm) -> bool:
        """Whether this ring is still wanted; it is used up by that."""
        if self._tokens.get(alarm.name) != alarm.token:
            return False
        del self._tokens[alarm.name]
        return True

    def cancel(self, name: str) -> None:
        if self._tokens.pop(name, None) is not None:
            self._tell(CancelTimer((self._owner, name)))

    def cancel_all(self) -> None:
        for name in list(self._tokens):
            self.cancel(name)
