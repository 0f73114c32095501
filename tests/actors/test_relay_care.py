"""How the relay comes back: soon at first, then after pauses, and never at the cost of the others' budget."""

from types import SimpleNamespace
from typing import Any

from kortana.actors.messages import RestartRelay, SetTimer
from kortana.actors.relay_care import RELAY_INTENSITY, RELAY_PAUSE_S, RelayCare


class World:
    def __init__(self) -> None:
        self.now, self.made, self.logged = 100.0, 0, list[str]()
        self.timers: list[SetTimer] = []
        services: Any = SimpleNamespace(
            clock=SimpleNamespace(monotonic=lambda: self.now), supervisor="boss",
            timer=SimpleNamespace(tell=self.timers.append),
        )  # fmt: skip
        self.care = RelayCare(self.make, services, lambda event, **fields: self.logged.append(event))

    def make(self, supervisor: object) -> object:
        assert supervisor == "boss"
        self.made += 1
        return f"relay {self.made}"


def test_the_first_deaths_cost_no_time_and_more_of_them_a_pause_each() -> None:
    world = World()
    world.care.start()
    for _ in range(RELAY_INTENSITY):
        world.care.on_died("why")
    assert (world.made, world.timers) == (1 + RELAY_INTENSITY, [])
    assert world.care.ref == f"relay {world.made}"
    world.care.on_died("why")
    assert world.made == 1 + RELAY_INTENSITY
    timer = world.timers.pop()
    assert (timer.due, timer.to, timer.message) == (100.0 + RELAY_PAUSE_S, "boss", RestartRelay())
    assert world.logged[-1] == "relay_paused"
    world.now += 60
    world.care.on_died("once more, much later")
    assert world.made == 2 + RELAY_INTENSITY


def test_where_none_is_wanted_there_is_none() -> None:
    world = World()
    care = RelayCare(None, world.care._services, lambda *_, **__: None)
    care.start()
    assert care.ref is None and world.made == 0
