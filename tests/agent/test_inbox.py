"""Who waits for messages says that it lives, where somebody minds its silence."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from kortana.agent import inbox as inbox_module
from kortana.agent.inbox import MAX_AT_ONCE, Inbox
from kortana.agent.pace import TIMEOUT_VARIABLE
from kortana.protocol.event import Event

LETTER = Event("e1", "", "b", "me", "INFO", None, "normal", {"text": "hello"}, False)


class Line:
    """A client on a clock of its own; a letter comes at second 100."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.said, self.waits = 0.0, list[tuple[float, Any]](), list[float | None]()
        self.letters = [LETTER]
        monkeypatch.setattr(inbox_module, "time", SimpleNamespace(monotonic=lambda: self.now))

    def receive(self, timeout_s: float | None) -> Event | None:
        self.waits.append(timeout_s)
        if self.letters and (timeout_s is None or self.now + timeout_s >= 100.0):
            self.now = 100.0
            return self.letters.pop()
        assert timeout_s is not None
        self.now += timeout_s
        return None

    def post(self, event: Event) -> None:
        assert event.event_type == "ACK"
        self.said.append((self.now, event.payload["ack_for_event_id"]))


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setenv(TIMEOUT_VARIABLE, "90")
    return Line(monkeypatch)


def inbox(line: Line) -> Inbox:
    client: Any = line
    return Inbox(client, "me")


def test_a_worker_that_waits_for_a_message_speaks_three_times_in_its_timeout(line: Line) -> None:
    assert inbox(line).receive(None) == LETTER
    assert line.said == [(30.0, ""), (60.0, ""), (90.0, "")]


def test_it_waits_as_long_as_was_said_and_no_longer(line: Line) -> None:
    assert inbox(line).receive(70.0) is None
    assert line.now == 70.0 and [at for at, _ in line.said] == [30.0, 60.0]
    assert inbox(line).receive(0) is None
    assert line.now == 70.0 and len(line.said) == 2


def test_another_thread_does_not_speak_for_a_main_thread_that_may_hang(line: Line) -> None:
    found: list[Event | None] = []
    thread = threading.Thread(target=lambda: found.append(inbox(line).receive(None)))
    thread.start()
    thread.join()
    assert (found, line.said) == ([LETTER], [])


def test_whose_silence_nobody_minds_waits_in_one_piece(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TIMEOUT_VARIABLE)
    assert inbox(line).receive(None) == LETTER
    assert (line.waits, line.said) == ([None], [])


class Storm(Line):
    """There is always one more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        super().__init__(monkeypatch)
        self.kind, self.count = kind, 0

    def receive(self, timeout_s: float | None) -> Event | None:
        self.count += 1
        return Event(f"e{self.count}", "", "b", "me", self.kind, None, "normal", {}, False)


@pytest.mark.parametrize("kind", ["INFO", "DIRECTIVE"])
def test_who_takes_what_is_there_comes_to_an_end_and_loses_nothing(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    storm = Storm(monkeypatch, kind)
    box = inbox(storm)
    assert len(box.take_directives()) == (MAX_AT_ONCE if kind == "DIRECTIVE" else 0)
    found = box.take_all()
    first = found[0].id
    assert (first, len(found)) == ("e1" if kind == "INFO" else f"e{MAX_AT_ONCE + 1}", MAX_AT_ONCE)
    assert storm.said[-1][1] == found[-1].id
    following = box.receive(None)
    assert following is not None and following.id == f"e{int(found[-1].id[1:]) + 1}"


class Letters(Line):
    """So many letters are there, by their ids: `i1` is an INFO, `d1` a directive."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.coming: list[Event] = []

    def come(self, *ids: str) -> None:
        kinds = {"i": "INFO", "d": "DIRECTIVE"}
        self.coming += [Event(name, "", "b", "me", kinds[name[0]], None, "normal", {}, False) for name in ids]

    def receive(self, timeout_s: float | None) -> Event | None:
        return self.coming.pop(0) if self.coming else None

    @property
    def confirmed(self) -> list[str]:
        return [event_id for _, event_id in self.said]


def test_directives_that_came_first_are_confirmed_and_those_behind_what_is_kept_wait_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    letters = Letters(monkeypatch)
    box = inbox(letters)
    letters.come("d1", "i2", "d3")
    assert [event.id for event in box.take_directives()] == ["d1", "d3"]
    assert letters.confirmed == ["d1"]
    received = box.receive(0)
    assert received is not None and received.id == "i2" and letters.confirmed == ["d1"]
    box.confirm()
    assert letters.confirmed == ["d1", "d3"]


def test_looking_for_directives_does_not_confirm_what_is_being_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    letters = Letters(monkeypatch)
    box = inbox(letters)
    letters.come("i1", "d2")
    assert (received := box.receive(0)) is not None and received.id == "i1"
    assert [event.id for event in box.take_directives()] == ["d2"]
    assert letters.confirmed == []
    letters.come("i3")
    assert (received := box.receive(0)) is not None and received.id == "i3"
    assert letters.confirmed == ["d2"]
    box.confirm()
    assert letters.confirmed == ["d2", "i3"]


def test_who_only_looks_for_directives_keeps_no_more_than_a_mailbox_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "MAX_MAILBOX", 2)
    letters = Letters(monkeypatch)
    box = inbox(letters)
    letters.come("i1", "i2", "i3", "d4")
    assert [event.id for event in box.take_directives()] == ["d4"]
    assert [event.id for event in box.take_all()] == ["i2", "i3"]
    assert letters.confirmed == ["i2", "d4"]


def test_an_id_of_another_sender_is_no_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids that somebody makes by counting may be those of the coordinator."""
    letters = Letters(monkeypatch)
    box = inbox(letters)
    letters.come("d7", "d7")
    letters.coming.append(Event("d7", "", "coordinator", "me", "DIRECTIVE", "t", "high", {}, False))
    assert [event.source for event in box.take_directives()] == ["b", "coordinator"]
