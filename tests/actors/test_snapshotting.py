"""When snapshots are taken: within their shares of the time while much happens, and soon once nothing does."""

import pytest

from kortana.actors.snapshotting import IDLE_S, LONG_WRITE_S, Snapshotter
from kortana.ports import Snapshot
from tests.actors.fakes import FakeClock
from tests.core.harness import Core

ENCODE_S = 0.005
"""What a step costs."""
LAG_S = 1.0
"""CONTRACT section 3: so far behind the journal a snapshot may be while idle."""


class Stage:
    """A coordinator's clockwork: things happen, time passes, and a disk takes its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, write_s: float) -> None:
        self.core, self.clock, self.write_s = Core(), FakeClock(), write_s
        self.core.up("a")
        self.snapshotter = Snapshotter(self.core.state, self.clock)
        self.taken: list[tuple[float, int]] = []
        """(when it was on the disk, its seq)"""
        self._on_its_way: tuple[float, Snapshot] | None = None
        encode = self.core.state.pages.step

        def slow(pages: int) -> bool:
            self.clock.now += ENCODE_S
            return encode(pages)

        monkeypatch.setattr(self.core.state.pages, "step", slow)

    def turn(self) -> None:
        """As the coordinator's: what has been written is noted, and then a step is made."""
        if self._on_its_way is not None and self.clock.now >= self._on_its_way[0]:
            self.taken.append((self.clock.now, self._on_its_way[1].seq))
            self._on_its_way = None
            self.snapshotter.written(self.write_s)
        snapshot = self.snapshotter.step()
        if snapshot is not None:
            self._on_its_way = (self.clock.now + self.write_s, snapshot)

    def wait(self, until: float) -> None:
        """Until nothing is due any more, or until a moment."""
        while self.clock.now < until:
            due = [t for t in (self.snapshotter.next_due(), self._on_its_way and self._on_its_way[0]) if t is not None]
            if not due or min(due) > until:
                break
            self.clock.now = max(self.clock.now, min(due))
            self.turn()
        self.clock.now = max(self.clock.now, until)


@pytest.mark.parametrize("tasks", [1, 20_000])
@pytest.mark.parametrize("write_s", [0.01, 0.3])
def test_a_snapshot_is_soon_there_once_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, write_s: float, tasks: int
) -> None:
    stage = Stage(monkeypatch, write_s)
    for number in range(tasks):
        stage.core.add(f"t{number}")
        if number % 1000 == 0:
            stage.turn()
    stage.turn()
    stage.wait(stage.clock.now + 0.1)
    stage.core.add("last")
    stage.turn()
    ended = stage.clock.now
    stage.wait(ended + 60)
    at, seq = stage.taken[-1]
    assert seq == stage.core.state.seq and at - ended <= LAG_S


def test_while_much_happens_the_disk_has_its_share_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, write_s=0.3)
    for number in range(1000):
        stage.core.add(f"t{number}")
        stage.turn()
        stage.wait(stage.clock.now + IDLE_S / 5)
    assert 10 <= len(stage.taken) <= 20  # of 50 s, in which one takes 0.3


def test_a_disk_that_takes_long_is_not_at_it_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, write_s=2 * LONG_WRITE_S)
    for number in range(100):
        stage.core.add(f"t{number}")
        stage.turn()
        stage.wait(stage.clock.now + 2 * IDLE_S)
    assert 3 <= len(stage.taken) <= 6  # of 50 s, in which one takes 1
