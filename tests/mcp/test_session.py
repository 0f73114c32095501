"""The MCP server is a supervised command's only voice: it says that it lives, also where it holds nothing."""

import queue
from typing import Any

import pytest

from kortana.agent.pace import TIMEOUT_VARIABLE
from kortana.mcp import session as session_module
from kortana.mcp.session import Session
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
