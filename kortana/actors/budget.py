"""The restart budget of the whole tree, which all worker actors draw from."""

import threading

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

    def clear(self) -> None:
        with self._lock:
            self._window.clear()
