"""Locks of a git that was killed, and of one that lives."""

import os
from pathlib import Path

import pytest

from kortana.agent import stale
from kortana.agent.stale import STALE_S, drop_stale, found_stale


class Clock:
    """In whose pauses others go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept, self.meanwhile = 1_000_000.0, 0.0, lambda: None
        monkeypatch.setattr(stale, "time", self)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now, self.slept = self.now + seconds, self.slept + seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def lock(path: Path, at: float) -> Path:
    path.touch()
    os.utime(path, (at, at))
    return path


def test_what_stays_as_it_is_goes_once_it_is_old_enough(tmp_path: Path, clock: Clock) -> None:
    young, old = lock(tmp_path / "young", clock.now - 0.5), lock(tmp_path / "old", clock.now - 100)
    drop_stale([young, old, tmp_path / "none"])
    assert not young.exists() and not old.exists() and clock.slept == pytest.approx(STALE_S - 0.5)


def test_nothing_is_waited_for_where_there_is_nothing_or_only_what_is_old(tmp_path: Path, clock: Clock) -> None:
    drop_stale([tmp_path / "none"])
    drop_stale([lock(tmp_path / "old", clock.now - 100)])
    assert clock.slept == 0.0 and not list(tmp_path.iterdir())


def test_a_lock_that_somebody_has_taken_anew_stays(tmp_path: Path, clock: Clock) -> None:
    path = lock(tmp_path / "lock", clock.now)
    clock.meanwhile = lambda: (path.unlink(), lock(path, clock.now))
    drop_stale([path])
    assert path.exists()


def test_what_was_there_before_is_none_of_ours(tmp_path: Path, clock: Clock) -> None:
    before, ours = lock(tmp_path / "before", clock.now - 100), lock(tmp_path / "ours", clock.now - 50)
    assert found_stale([before, ours], int((clock.now - 60) * 1e9)) == {ours}


def test_a_clock_that_has_gone_back_is_not_waited_for(tmp_path: Path, clock: Clock) -> None:
    drop_stale([lock(tmp_path / "future", clock.now + 1_000)])
    assert clock.slept == STALE_S and not (tmp_path / "future").exists()
