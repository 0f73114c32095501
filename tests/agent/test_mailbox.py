"""What an adapter's log says of a task and of its mailbox, and what it takes for the end of its lease."""

from typing import Any

import pytest

from kortana.agent.answers import Answer, Task
from kortana.agent.mailbox import SHOWN_CHARS, is_lease_gone, say_claimed, say_heard
from kortana.protocol.event import Event


@pytest.mark.parametrize(("fields", "shown"), [
    ({}, ""), ({"title": "Mend it", "run": "make"}, ": Mend it"), ({"run": "make\nmake test\n"}, ": make ..."),
    ({"prompt": "\n  Mend it.\n"}, ": Mend it."), ({"title": "\x1b[2Jclear"}, ": \\u001b[2Jclear"),
    ({"prompt": "x" * 1000}, f": {'x' * SHOWN_CHARS} ..."),
])  # fmt: skip
def test_a_claim_is_told_on_one_line(fields: dict[str, str], shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    lease = {"token": 7, "ttl_s": 120.0}
    answer = Answer({"accepted": True, "reason": "", "task": {"id": "t", **fields}, "lease": lease})
    say_claimed(Task(answer, None))  # type: ignore[arg-type]
    assert capsys.readouterr().out == f"claimed t (token 7){shown}\n"


def event(source: str, kind: str, **payload: Any) -> Event:
    return Event("e", "", source, "me", kind, "t", "normal", payload, False)


@pytest.mark.parametrize(
    ("heard", "shown"),
    [
        (event("coordinator", "LEASE_RELEASED", reason="sibling", by="me"), "heard LEASE_RELEASED t: sibling me"),
        (event("coordinator", "DIRECTIVE", instruction="replan"), "heard replan t:"),
        (event("other", "INFO", instruction=["x"], reason="a\nkortana | b\x1b[2J"),
         "heard ['x'] from other t: a\\nkortana | b\\u001b[2J"),
        (event("operator", "INFO", text="look"), "heard INFO from operator t: look"),
    ],
)  # fmt: skip
def test_what_came_is_told_on_one_line(heard: Event, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    say_heard(heard)
    assert capsys.readouterr().out == shown + "\n"


@pytest.mark.parametrize("told", [("LEASE_EXPIRED", None), ("LEASE_RELEASED", None), ("DIRECTIVE", "lease_released")])
def test_the_coordinator_says_that_a_lease_is_gone(told: tuple[str, str | None]) -> None:
    assert is_lease_gone(event("coordinator", told[0], instruction=told[1]))


@pytest.mark.parametrize("source", ["other", "operator"])
@pytest.mark.parametrize("kind", ["INFO", "DIRECTIVE", "REQUEST_REVIEW"])
@pytest.mark.parametrize("instruction", ["lease_released", [], None])
def test_what_others_write_ends_no_work(source: str, kind: str, instruction: Any) -> None:
    assert not is_lease_gone(event(source, kind, instruction=instruction))
    assert not is_lease_gone(event("coordinator", "DIRECTIVE", instruction="replan"))
