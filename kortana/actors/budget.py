"""Restart budgets: one worker's own, and the whole tree's, which all worker actors draw from."""

import threading

from kortana.config.spec import WorkerSpec
from kortana.core.backoff import delay_s
from kortana.core.restart import Window


class TreeBudget:
    """A window that several threads use."""

    def __init__(self, intensity: int, period_s: float) -> None:
        self._window = Window(intensity, period_s)
        self._lock = threading.Lock()

    def admit(self, now: float) -> bool:
        """Counts a restart; False where the tree has used its budget up."""
        with self._lock:
            return self._window.admit(now)

    def used(self, now: float) -> int:
        with self._lock:
            return self._window.used(now)

    def has_room(self, now: float) -> bool:
        with self._lock:
            return self._window.has_room(now)

    def clear(self) -> None:
        with self._lock:
            self._window.clear()


class Restarts:
    """One worker's restarts: how many its window still allows, and how long the next one waits."""

    def __init__(self, spec: WorkerSpec, tree: TreeBudget) -> None:
        self._spec, self._tree = spec, tree
        self._window = Window(spec.intensity, spec.period)
        self._row = 0

    def refusal(self, now: float) -> str | None:
        """Counts a restart; gives whose budget it exceeds, `worker` or `tree`, or None."""
        if not self._window.admit(now):
            return "worker"
        return None if self._tree.admit(now) else "tree"

    def used(self, now: float) -> int:
        return self._window.used(now)

    def come_at_once(self, now: float) -> bool:
        """Whether the next one will be allowed, as far as can be seen, and wait for nothing. Counts nothing."""
        waits = delay_s(self._spec.backoff, 1, 0.0) > 0
        return not waits and self._window.has_room(now) and self._tree.has_room(now)

    def next_delay_s(self, draw: float) -> float:
        """The wait before one more restart in a row."""
        self._row += 1
        return delay_s(self._spec.backoff, self._row, draw)

    def healthy(self) -> None:
        """It has run long enough: the next backoff starts from the beginning."""
        self._row = 0

    def clear(self) -> None:
        self._window.clear()
        self._row = 0
