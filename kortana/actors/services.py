"""What every worker actor uses of the tree it belongs to."""

from collections.abc import Callable
from typing import Any

from kortana.actors.budget import TreeBudget
from kortana.actors.crash_recorder import CrashRecorder
from kortana.config.spec import WorkerSpec
from kortana.ports import Clock, ProcessSpec


class Services:
    """The launcher, the gate that knows tokens, the clock and timer, the supervisor, and the ways to tell and log.

    draw: gives a random number from -1 to 1. make_spec: gives a worker's process from its spec, its name, its
    incarnation and its token. recorder: seals the record of each death.
    """

    def __init__(
        self,
        launcher: Any,
        gate: Any,
        clock: Clock,
        timer: Any,
        supervisor: Any,
        coordinator: Callable[[Any], None],
        log: Callable[..., None],
        draw: Callable[[], float],
        make_spec: Callable[[WorkerSpec, str, int, str], ProcessSpec],
        tree_budget: TreeBudget,
        strategy: str,
        recorder: CrashRecorder,
    ) -> None:
        self.launcher, self.gate, self.clock, self.timer = launcher, gate, clock, timer
        self.supervisor = supervisor
        self.tell_coordinator = coordinator
        self.log = log
        self.draw = draw
        self.make_spec = make_spec
        self.tree_budget = tree_budget
        self.strategy = strategy
        self.recorder = recorder
