"""The MCP server is a supervised command's only voice: it says that it lives, also where it holds nothing."""

import queue
import threading
from typing import Any

import pytest

from kortana.agent.interface import KortanaUnavailable
from kortana.agent.pace import TIMEOUT_VARIABLE
from kortana.mcp import session as session_module
from kortana.mcp.rpc import Call, Cancelled
from kortana.mcp.server import _bounded
from kortana.mcp.session import Session
from kortana.mcp.tools import CALLS, TOOLS, ToolError, full_names, wrong_arguments
from kortana.protocol.event import Event


class Voice:
    """An agent that keeps what it says."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.said = queue.Queue[Event]()

    def request(self, event: Event, timeout_s: float) -> dict[str, Any]:
        self.said.put(event)
        return {"accepted": True, "reason": "", "result": {}}

    def close(self) -> None: ...


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment of a supervised worker `me`, which has to speak every 0.3 s."""
    monkeypatch.setattr(session_module, "AgentInterface", Voice)
    monkeypatch.setenv("KORTANA_AGENT", "me")
    monkeypatch.setenv(TIMEOUT_VARIABLE, "0.3")
    monkeypatch.delenv("KORTANA_TASK", raising=False)
    return monkeypatch


def test_it_speaks_for_the_worker_that_it_runs_in(worker: pytest.MonkeyPatch) -> None:
    session = Session("me", None)
    voice: Any = session.agent()
    for _ in range(2):
        event = voice.said.get(timeout=60)
        assert (event.event_type, event.task_id) == ("HEARTBEAT", None)
    session.hold("t", {"token": 7, "ttl_s": 1000.0})
    while event.task_id is None:
        event = voice.said.get(timeout=60)
    assert (event.task_id, event.payload) == ("t", {"token": 7})
    session.close()


@pytest.mark.parametrize(("name", "task"), [("somebody-else", None), ("me", "t")])
def test_it_speaks_for_no_other_and_not_within_an_adapters_task(
    worker: pytest.MonkeyPatch, name: str, task: str | None
) -> None:
    if task is not None:
        worker.setenv("KORTANA_TASK", task)
    session = Session(name, None)
    session.agent()
    assert session._renewer is None


class Letters(Voice):
    """An agent with letters, which breaks off after some of them; whoever asks for the next has read the one before."""

    def __init__(self, *letters: str, breaks_at: int = -1) -> None:
        self.letters = [Event(f"e{n}", "", "b", "me", "INFO", None, "normal", {"text": text}, False)
                        for n, text in enumerate(letters)]  # fmt: skip
        self.breaks_at, self.given, self.read = breaks_at, 0, 0

    def receive(self, timeout_s: float) -> Event | None:
        self.read = self.given
        if self.given == self.breaks_at:
            raise KortanaUnavailable
        if self.given == len(self.letters):
            return None
        self.given += 1
        return self.letters[self.given - 1]

    def confirm(self) -> None:
        self.read = self.given


def _read(letters: Letters) -> list[tuple[int, bool]]:
    """How many each call gives, and whether it says that there may be more, until one gives none."""
    session, found = Session("me", None), []
    session._agent = letters  # type: ignore[assignment]
    while not found or found[-1][0]:
        before = letters.read
        events, more = session.inbox(0, Call())
        assert letters.read - before == len(events), "read is what was given, and nothing else"
        found.append((len(events), more))
    return found


def test_a_full_inbox_is_given_in_parts_and_nothing_of_it_is_lost() -> None:
    assert _read(Letters(*["short"] * 230)) == [(100, True), (100, True), (30, False), (0, False)]
    assert _read(Letters(*["x" * 20_000] * 5)) == [(2, True), (2, True), (1, False), (0, False)]


def test_a_call_is_cancelled_or_settled_whatever_comes_first() -> None:
    late, early = Call(), Call()
    late.settle()
    late.cancel()
    late.settle()
    early.cancel()
    with pytest.raises(Cancelled):
        early.settle()


def test_what_came_for_a_call_that_was_given_up_is_given_to_the_next() -> None:
    letters = Letters("one", "two")
    session = Session("me", None)
    session._agent = letters  # type: ignore[assignment]
    given_up = Call()
    given_up.cancel()
    with pytest.raises(Cancelled):
        session.inbox(0, given_up)
    assert letters.read == 0, "nobody has read it"
    events, _ = session.inbox(0, Call())
    assert [event["payload"]["text"] for event in events] == ["one", "two"] and letters.read == 2


def test_what_came_for_a_call_that_was_given_up_wakes_one_that_waits_too() -> None:
    class Post(Voice):
        def __init__(self) -> None:
            self.letters = queue.Queue[Event]()
            self.waits = threading.Event()

        def receive(self, timeout_s: float) -> Event | None:
            self.waits.set()
            try:
                return self.letters.get(timeout=timeout_s or 0.001)
            except queue.Empty:
                return None

        def confirm(self) -> None: ...

    session, post = Session("me", None), Post()
    session._agent = post  # type: ignore[assignment]
    first, second, found = Call(), Call(), queue.Queue[Any]()

    def read(call: Call) -> None:
        try:
            found.put(session.inbox(600, call)[0][0]["payload"]["text"])
        except Cancelled:
            found.put("cancelled")

    threads = [threading.Thread(target=read, args=(call,), daemon=True) for call in (first, second)]
    threads[0].start()
    assert post.waits.wait(60)
    threads[1].start()
    first.cancel()
    post.letters.put(Letters("one").letters[0])
    assert {found.get(timeout=60), found.get(timeout=60)} == {"cancelled", "one"}
    for thread in threads:
        thread.join(60)


def test_a_lease_that_comes_for_a_call_that_was_given_up_goes_back_unless_it_was_held() -> None:
    class Grants(Voice):
        def request(self, event: Event, timeout_s: float) -> dict[str, Any]:
            super().request(event, timeout_s)
            lease = {"token": 7, "ttl_s": 1000.0}
            return {"accepted": True, "reason": "", "task": {"id": "t"}, "lease": lease}

    session, voice = Session("me", None), Grants()
    session._agent = voice  # type: ignore[assignment]
    given_up = Call()
    given_up.cancel()
    with pytest.raises(Cancelled):
        CALLS["claim_task"](session, {}, given_up)
    assert [voice.said.get(timeout=60).event_type for _ in range(2)] == ["TASK_CLAIM", "TASK_RELEASE"]
    assert session.with_token("t", {}) == {}
    CALLS["claim_task"](session, {}, Call())
    with pytest.raises(Cancelled):
        CALLS["claim_task"](session, {}, given_up)
    assert session.with_token("t", {}) == {"token": 7}
    while not voice.said.empty():
        assert voice.said.get().event_type != "TASK_RELEASE"
    session.close()


def test_what_was_read_before_kortana_went_is_given() -> None:
    letters = Letters("one", "two", "three", breaks_at=2)
    session = Session("me", None)
    session._agent = letters  # type: ignore[assignment]
    assert len(session.inbox(0, Call())[0]) == 2
    with pytest.raises(ToolError):
        session.inbox(0, Call())


def test_the_resource_of_tasks_is_bounded_by_number_and_by_size() -> None:
    assert len(_bounded({"id": n} for n in range(5000))) == 1000
    assert len(_bounded({"prompt": "x" * 50_000} for _ in range(5000))) == 21


def test_wait_is_understood_where_a_tool_waits() -> None:
    tools = {tool["name"]: tool for tool in TOOLS}
    assert full_names(tools["claim_task"], {"wait": 5, "task_id": "t"}) == {"wait_s": 5, "task_id": "t"}
    assert "wait is not known" in wrong_arguments(tools["why"], full_names(tools["why"], {"task_id": "t", "wait": 5}))
    both = {"wait": 5, "wait_s": 6}
    assert "wait is not known" in wrong_arguments(tools["claim_task"], full_names(tools["claim_task"], both))
