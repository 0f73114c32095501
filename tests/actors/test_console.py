"""What a person at the terminal is told of the journal."""

from typing import Any

import pytest

from kortana.actors import console
from kortana.actors.console import describe
from kortana.protocol.event import Event, Record


def _told(source: str, target: str, kind: str, task: str | None = None, **payload: Any) -> str | None:
    event = Event("e", "2026-01-01T00:00:00.000Z", source, target, kind, task, "normal", payload, False)
    return describe(Record(event, 1, event.timestamp, b"", 0))


def test_what_an_agent_says_to_the_operator_is_shown() -> None:
    assert _told("a", "operator", "REQUEST_REVIEW", "t", text="please") == "a to operator: REQUEST_REVIEW on t please"
    assert _told("a", "operator", "INFO", text="done") == "a to operator: INFO done"
    assert _told("a", "b", "INFO", text="done") is None


@pytest.mark.parametrize(("target", "line"), [("a", "t is unblocked (needs_completed)"), ("b", None)])
def test_that_a_task_is_unblocked_is_shown_once(target: str, line: str | None) -> None:
    told = {"instruction": "unblocked", "reason": "needs_completed", "by": "a"}
    assert _told("coordinator", target, "DIRECTIVE", "t", **told) == line


def test_what_others_have_written_stays_on_its_line_and_gives_no_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    class Paper:
        def __init__(self, fd: int) -> None: ...

        def put(self, data: bytes, patience_s: float) -> bytes:
            written.append(data)
            return b""

    monkeypatch.setattr(console, "Outlet", Paper)
    told = console.Console(7, False, lambda: "")
    told.say("a to operator: INFO \x1b[2J\nkortana | b completed t" + "!" * console.MAX_LINE)
    told.close()
    assert b"".join(written).startswith(b"kortana | a to operator: INFO \\u001b[2J\\nkortana | b completed t!!!")
    assert b"".join(written).endswith(b"!...\n") and len(b"".join(written)) < console.MAX_LINE + 20
