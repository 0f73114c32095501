"""What the workers use over time, for the records of their crashes: looked at often at first, then rarely."""

import math
import time
from collections.abc import Iterable

from kortana.ports import Sample
from kortana.processes.incarnation import Child
from kortana.processes.loop import Loop, Timer
from kortana.processes.posix import usage_of

OFTEN_S, RARELY_S = 15.0, 60.0
CALM_AFTER_S = 300.0
"""Once every worker has run for so long, it is looked rarely: to wake a sleeping process costs more than the look."""


class Sampler:
    """Looks at the first process of each worker, as long as there are any. children: as they are at any moment."""

    def __init__(self, loop: Loop, children: Iterable[Child]) -> None:
        self._loop, self._children = loop, children
        self._timer: Timer | None = None
        self._looked_at = -math.inf
        self._is_calm = False

    def expect(self) -> None:
        """There is a new worker."""
        self._is_calm = False
        self._plan(OFTEN_S)

    def is_awake(self) -> None:
        """This process was woken for something else: a look that is rare anyway joins in."""
        if self._is_calm and time.monotonic() - self._looked_at > OFTEN_S:
            self._look()

    def _plan(self, delay_s: float) -> None:
        if self._timer is not None and self._timer.is_due:
            if self._timer.at <= time.monotonic() + delay_s:
                return
            self._timer.cancel()
        self._timer = self._loop.later(delay_s, self._look)

    def _look(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        now = self._looked_at = time.monotonic()
        youngest_s = math.inf
        for child in self._children:
            used = usage_of(child.pid)
            youngest_s = min(youngest_s, now - child.began)
            if used is not None:
                child.samples.append(Sample(round(now - child.began, 1), *used))
        self._is_calm = CALM_AFTER_S <= youngest_s < math.inf
        if youngest_s < math.inf:
            self._plan(RARELY_S if self._is_calm else OFTEN_S)
