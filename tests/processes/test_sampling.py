"""How often the launcher looks at what its workers use."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kortana.processes import sampling
from kortana.processes.loop import Timer
from kortana.processes.sampling import CALM_AFTER_S, OFTEN_S, RARELY_S, Sampler


class FakeLoop:
    """Its timers are called in the order of their moments; `now` is when the last of them was due."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[Timer] = []

    def later(self, delay_s: float, handler: Callable[[], None]) -> Timer:
        self._timers.append(Timer(self.now + delay_s, handler))
        return self._timers[-1]

    @property
    def due(self) -> list[Timer]:
        return [timer for timer in self._timers if timer.is_due]

    def next(self) -> None:
        first = min(self.due, key=lambda timer: timer.at)
        first.cancel()
        self.now = first.at
        first.handler()

    def child(self, pid: int = 1) -> Any:
        return SimpleNamespace(pid=pid, began=self.now, samples=[])


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> FakeLoop:
    loop = FakeLoop()
    monkeypatch.setattr(sampling, "time", SimpleNamespace(monotonic=lambda: loop.now))
    monkeypatch.setattr(sampling, "usage_of", lambda pid: None if pid < 0 else (pid, 0.5, 7))
    return loop


def _ages(child: Any) -> list[float]:
    return [sample.at_s for sample in child.samples]


def test_it_looks_often_at_first_and_rarely_once_all_have_run_for_long(loop: FakeLoop) -> None:
    child = loop.child()
    sampler = Sampler(loop, [child])  # type: ignore[arg-type]
    sampler.expect()
    for _ in range(22):
        loop.next()
    early = [OFTEN_S * count for count in range(1, 21)]
    assert early[-1] == CALM_AFTER_S
    assert _ages(child) == [*early, CALM_AFTER_S + RARELY_S, CALM_AFTER_S + 2 * RARELY_S]
    assert (child.samples[0].rss_bytes, child.samples[0].open_files) == (1, 7)


def test_a_new_worker_is_looked_at_soon_and_with_it_all_others(loop: FakeLoop) -> None:
    old = loop.child()
    children = [old]
    sampler = Sampler(loop, children)  # type: ignore[arg-type]
    sampler.expect()
    while not old.samples or old.samples[-1].at_s < CALM_AFTER_S:
        loop.next()
    seen = len(old.samples)
    loop.now += 5
    children += [new := loop.child(pid=2), gone := loop.child(pid=-1)]
    sampler.expect()
    loop.next()
    assert _ages(new) == [OFTEN_S]
    assert _ages(old)[seen:] == [CALM_AFTER_S + 5 + OFTEN_S]
    assert gone.samples == []
    while loop.now < 1000 + CALM_AFTER_S + RARELY_S + 1:
        loop.next()
    assert all(after - before == OFTEN_S for before, after in zip(_ages(new), _ages(new)[1:], strict=False))


def test_a_rare_look_joins_whatever_wakes_the_process(loop: FakeLoop) -> None:
    child = loop.child()
    sampler = Sampler(loop, [child])  # type: ignore[arg-type]
    sampler.expect()
    loop.now += 10
    sampler.is_awake()
    assert child.samples == [], "young: looked at by its own clock"
    while not child.samples or child.samples[-1].at_s < CALM_AFTER_S:
        loop.next()
    loop.now += 40
    sampler.is_awake()
    loop.now += 1
    sampler.is_awake()
    assert _ages(child)[-2:] == [CALM_AFTER_S, CALM_AFTER_S + 40]
    loop.next()
    assert _ages(child)[-1] == CALM_AFTER_S + 40 + RARELY_S, "the next one counts from there"
    assert len(loop.due) == 1


def test_without_workers_it_sleeps_until_there_is_one(loop: FakeLoop) -> None:
    children = [loop.child()]
    sampler = Sampler(loop, children)  # type: ignore[arg-type]
    sampler.expect()
    children.clear()
    loop.next()
    assert loop.due == []
    children.append(loop.child())
    sampler.expect()
    loop.next()
    assert _ages(children[0]) == [OFTEN_S]
