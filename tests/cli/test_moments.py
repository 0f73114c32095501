"""Places in the journal as people give them."""

import time

import pytest

from kortana.cli.errors import CliError
from kortana.cli.moments import moment


@pytest.fixture(autouse=True)
def _in_new_york(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setenv("TZ", "EST5")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(("text", "found"), [
    (None, (None, None)), ("0", (0, None)), ("17", (17, None)),
    ("2026-11-26T05:31:21Z", (None, "2026-11-26T05:31:21.000Z")),
    ("2026-11-26T05:31:21.455Z", (None, "2026-11-26T05:31:21.455Z")),
    ("2026-11-26T07:31+02:00", (None, "2026-11-26T05:31:00.000Z")),
    ("2026-11-26 05:31:21", (None, "2026-11-26T10:31:21.000Z")),
    ("2026-11-26", (None, "2026-11-26T05:00:00.000Z")),
])  # fmt: skip
def test_what_is_understood(text: str | None, found: tuple[int | None, str | None]) -> None:
    assert moment("--since", text) == found


def test_how_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000_000_000.25)
    assert moment("--since", "10m") == (None, "2001-09-09T01:36:40.250Z")


@pytest.mark.parametrize("text", ["", "then", "-5", "1.5", "²", "0001-01-01", "9999-12-31T23:59:59-12:00", "10 days"])
def test_what_is_not(text: str) -> None:
    with pytest.raises(CliError, match=r"^--until: "):
        moment("--until", text)
