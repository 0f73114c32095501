"""What the workers use over time, for the records of their crashes: looked at often at first, then rarely."""

import math
import time
from collections.abc import Iterable

from kortana.ports import Sample
from kortana.processes.incarnation import Child
from kortana.processes.loop import Loop
from kortana.processes.posix import usage_of

OFTEN_S, RARELY_S = 15.0, 60.0
CALM_AFTER_S = 300.0
"""Once every worker has run for so long, it is looked rarely: to wake a sleeping process costs more than the look."""


class Sampler:
    """Looks at the first process of each worker, as long as there are any. children: as they are at any moment."""

    def __init__(self, loop: Loop, children: Iterable[Child]) -> None:
        self._loop, self._children = loop, children
        self._due_at = math.inf

    def expect(self) -> None:
        """There is a new worker."""
        self._plan(OFTEN_S)

    def _plan(self, delay_s: float) -> None:
        at = time.monotonic() + delay_s
        if at < self._due_at:
            self._due_at = at
            self._loop.later(delay_s, self._look)

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._due_at:
            return  # it was planned anew, for an earlier moment
        self._due_at, youngest_s = math.inf, math.inf
        for child in self._children:
            used = usage_of(child.pid)
            youngest_s = min(youngest_s, now - child.began)
            if used is not None:
                child.samples.append(Sample(round(now - child.began, 1), *used))
        if youngest_s < math.inf:
            self._plan(OFTEN_S if youngest_s < CALM_AFTER_S else RARELY_S)
