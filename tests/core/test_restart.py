"""Restart arithmetic: exits by kind, the restart table, windows, backoff, deadlines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kortana.config.spec import BackoffSpec
from kortana.core.backoff import delay_s
from kortana.core.deadlines import Deadlines
from kortana.core.restart import Window, classify, verdict


@pytest.mark.parametrize(
    ("code", "signal", "intended", "kind"),
    [
        (0, None, False, "normal"), (3, None, False, "crash"), (75, None, False, "quota"),
        (None, "SIGKILL", False, "crash"), (None, "SIGTERM", True, "intended"), (3, None, True, "intended"),
    ],
)  # fmt: skip
def test_exits_have_a_kind(code: int | None, signal: str | None, intended: bool, kind: str) -> None:
    assert classify(code, signal, (0,), (75,), intended) == kind


def test_the_restart_table() -> None:
    table = {(r, k): verdict(r, k) for r in ("permanent", "transient", "temporary") for k in ("normal", "crash")}  # type: ignore[arg-type]
    assert table == {
        ("permanent", "normal"): "restart", ("permanent", "crash"): "restart",
        ("transient", "normal"): "leave", ("transient", "crash"): "restart",
        ("temporary", "normal"): "leave", ("temporary", "crash"): "leave",
    }  # fmt: skip
    assert verdict("permanent", "intended") == "stop"
    assert verdict("temporary", "quota") == "park"


@given(st.lists(st.floats(0, 100), max_size=60).map(sorted), st.integers(0, 6), st.floats(0, 30))
def test_a_window_admits_as_a_plain_count_would(times: list[float], intensity: int, period: float) -> None:
    window = Window(intensity, period)
    for index, now in enumerate(times):
        counted = sum(now - at <= period for at in times[: index + 1])
        assert window.admit(now) is (counted <= intensity)


def test_both_ends_of_a_window_count() -> None:
    window = Window(1, 5.0)
    assert window.admit(10.0) and not window.admit(15.0)
    assert Window(0, 5.0).admit(0.0) is False


@given(st.integers(1, 10_000), st.floats(-1, 1))
def test_a_backoff_stays_within_its_bounds(nth: int, draw: float) -> None:
    spec = BackoffSpec(initial=0.5, factor=2.0, max=30.0, jitter=0.1)
    assert 0.45 <= delay_s(spec, nth, draw) <= 33.0
    assert delay_s(spec, 3, 0.0) == 2.0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 20)), max_size=80), st.integers(0, 20))
def test_deadlines_behave_as_a_sorted_dict(steps: list[tuple[str, int | None]], now: int) -> None:
    real: Deadlines[str] = Deadlines()
    plain: dict[str, int] = {}
    for key, due in steps:
        if due is None:
            real.clear(key)
            plain.pop(key, None)
        else:
            real.set(key, due)
            plain[key] = due
        assert real.next_due() == min(plain.values(), default=None)
    due_now = real.pop_due(now)
    assert sorted(due_now) == sorted(key for key, due in plain.items() if due <= now)
    assert [plain[key] for key in due_now] == sorted(plain[key] for key in due_now)
    assert len(real) == len(plain) - len(due_now)
