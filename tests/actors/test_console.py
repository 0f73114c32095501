"""What a person at the terminal is told of the journal."""

from typing import Any

import pytest

from kortana.actors import console
from kortana.actors.console import describe, describe_event, described
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


def _said(*lines: tuple[str, str, str, dict[str, Any]]) -> list[str]:
    """Of (id, source, type, payload)."""
    events = [Event(name, "", source, "a" if kind == "ACK" else "coordinator", kind, "t", "normal", payload, True)
              for name, source, kind, payload in lines]  # fmt: skip
    return list(described([Record(event, n, "", b"", 0) for n, event in enumerate(events, 1)]))


def _answer(name: str, accepted: bool, **fields: Any) -> tuple[str, str, str, dict[str, Any]]:
    return f"k-{name}", "coordinator", "ACK", {"ack_for_event_id": name, "accepted": accepted, "reason": "", **fields}


def test_what_agents_ask_for_is_told_once_it_is_accepted() -> None:
    blocker = ("b", "a", "BLOCKER", {"reason": "no key", "needs": ["u"]})
    update = ("u", "a", "TASK_UPDATE", {"status": "completed", "progress": 100})
    done = _answer("u", True, task={"id": "t", "status": "completed"})
    assert _said(blocker, update, _answer("b", True), done) == [
        "a is blocked on t: no key (needs u); others replan", "a is at 100 % of t: ", "a completed t",
    ]  # fmt: skip
    assert _said(blocker, _answer("b", False), update, _answer("u", False)) == []


@pytest.mark.parametrize("wild", [5, [1, {}], {}, "x", None])
def test_what_is_refused_may_say_anything(wild: Any) -> None:
    said = dict.fromkeys(("reason", "needs", "progress", "status", "details", "instruction", "text", "by"), wild)
    for kind in ("BLOCKER", "TASK_UPDATE", "HEARTBEAT", "TASK_RELEASE"):
        assert _said(("x", "a", kind, said), _answer("x", False)) == []
    assert _said(("d", "operator", "DIRECTIVE", {"instruction": "claim_denied"}), _answer("d", True)) == []


def test_a_line_that_cannot_be_told_is_no_fault_of_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(console.Console, "say", lambda self, line: told.append(line))
    broken = Event("k1", "", "coordinator", "a", "LEASE_EXPIRED", "t", "normal", {}, False)
    console.Console.watch(console.Console.__new__(console.Console), [Record(broken, 1, "", b"", 0)])
    assert told == ["what was decided cannot be shown: KeyError('by')"]


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


def test_what_happens_to_the_tree_is_told_with_its_cause() -> None:
    assert describe_event("shutting_down", {"cause": "all tasks are done"}) == "shutting down: all tasks are done"
    assert describe_event("core_died", {"error": "OSError: no"}) == "core died: OSError: no"
    assert describe_event("core_restarted", {}) == "core restarted"
