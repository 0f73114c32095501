"""What others write to an agent, as its next prompt tells it."""

from typing import Any

import pytest

from kortana.agent.letters import MOST, MOST_CHARS, Letters
from kortana.protocol.event import Event


def letter(source: str = "flash", kind: str = "INFO", task: str | None = None, **payload: Any) -> Event:
    return Event("e", "", source, "me", kind, task, "normal", payload, False)


def told(*events: Event) -> str:
    letters = Letters()
    for event in events:
        letters.take(event)
    had_any = bool(letters)
    text = letters.told()
    assert had_any is bool(text) is bool(letters) and letters.told() == text, "nobody has read it yet"
    letters.forget()
    assert not letters and letters.told() == ""
    return text


@pytest.mark.parametrize(("event", "text"), [
    (letter(text="Mind the docs."), "- from flash: Mind the docs."),
    (letter("operator", "DIRECTIVE", "t", instruction="stop", reason="it is late"), "- from operator (t): it is late"),
    (letter(kind="REQUEST_REVIEW", task="t", pull=5), '- from flash (t): {"pull": 5}'),
    (letter(kind="MERGE_READY"), "- from flash: MERGE_READY"), (letter(text=["a"]), '- from flash: ["a"]'),
    (letter(text="One.\nTwo.\x1b[2J"), "- from flash: One.\n  Two.\\u001b[2J"),
])  # fmt: skip
def test_what_a_message_says(event: Event, text: str) -> None:
    assert told(event) == f"Messages for you:\n{text}\n"


def test_what_the_coordinator_says_is_no_letter() -> None:
    assert told(letter("coordinator", "DIRECTIVE", instruction="replan"), letter("flash", "BLOCKER", reason="x")) == ""


def test_many_and_long_ones_are_bounded() -> None:
    text = told(*(letter(text=f"<{n}>" + "x" * 5_000) for n in range(MOST + 5)))
    assert text.count("- from") == MOST and "<4>" not in text and f"<{MOST + 4}>" in text
    assert len(text) < MOST * (MOST_CHARS + 50)
