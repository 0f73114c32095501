"""When a worker is started again: exits by kind, restart types as a table, and budgets over a window.

Source: Erlang/OTP, supervisor(3): restart types, intensity and period.
"""

from collections import deque
from typing import Literal

ExitKind = Literal["normal", "crash", "quota", "intended"]
Verdict = Literal["restart", "leave", "park", "stop"]

_VERDICTS: dict[tuple[str, str], Verdict] = {
    ("permanent", "normal"): "restart",
    ("permanent", "crash"): "restart",
    ("transient", "normal"): "leave",
    ("transient", "crash"): "restart",
    ("temporary", "normal"): "leave",
    ("temporary", "crash"): "leave",
}


def classify(
    code: int | None, signal: str | None, success: tuple[int, ...], quota: tuple[int, ...], intended: bool
) -> ExitKind:
    """What kind of end an exit code, or a signal's name, is for a worker with these codes."""
    if intended:
        return "intended"
    if signal is None and code in success:
        return "normal"
    if signal is None and code in quota:
        return "quota"
    return "crash"


def verdict(restart: str, kind: ExitKind) -> Verdict:
    """What follows from an exit of that kind for a restart type."""
    if kind == "intended":
        return "stop"
    if kind == "quota":
        return "park"
    return _VERDICTS[restart, kind]


class Window:
    """At most `intensity` restarts within `period_s` seconds, both ends inclusive (monotonic time)."""

    def __init__(self, intensity: int, period_s: float) -> None:
        self.intensity = intensity
        self.period_s = period_s
        self._times: deque[float] = deque()

    def admit(self, now: float) -> bool:
        """Counts a restart; False where it is one too many."""
        while self._times and now - self._times[0] > self.period_s:
            self._times.popleft()
        self._times.append(now)
        if len(self._times) > self.intensity + 1:
            self._times.popleft()
        return len(self._times) <= self.intensity

    def used(self, now: float) -> int:
        """Restarts that count at `now`."""
        return sum(now - at <= self.period_s for at in self._times)

    def has_room(self, now: float) -> bool:
        """Whether a restart at `now` would be admitted. Counts nothing."""
        return self.used(now) < self.intensity

    def clear(self) -> None:
        self._times.clear()
