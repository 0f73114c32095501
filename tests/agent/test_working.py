"""How a block of code that works on a task ends it."""

import threading
from typing import Any

import pytest

from kortana.agent.answers import Answer, Task
from kortana.agent.interface import AgentInterface
from kortana.agent.working import working_on


class FakeAgent:
    """Notes what it is told; `lost`: its renewals are refused; `gone`: nobody answers."""

    def __init__(self, lost: bool = False, gone: bool = False) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.lost, self.gone = lost, gone

    def _answer(self, *told: Any) -> Answer:
        if self.gone:
            raise ConnectionError("nobody is there")
        self.told.append(told)
        return Answer({"accepted": True, "reason": ""})

    def heartbeat(self, task_id: str) -> Answer:
        return Answer({"accepted": not self.lost, "reason": "stale_lease" if self.lost else ""})

    def update_task_status(self, task_id: str, status: str, details: str = "", *_: Any, result: Any = None) -> Answer:
        if isinstance(result, set | bytes):
            raise TypeError("cannot be sent")
        return self._answer(status, details)

    def report_blocker(self, task_id: str, reason: str, needs: tuple[str, ...]) -> Answer:
        return self._answer("blocker", reason)

    def release_task(self, task_id: str) -> Answer:
        return self._answer("release")


def _task(agent: Any, ttl_s: float = 120.0) -> Task:
    return Task(Answer({"accepted": True, "reason": "", "task": {"id": "t"}, "lease": {"ttl_s": ttl_s}}), agent)


def _work(agent: Any, error: BaseException | None = None, **fields: Any) -> None:
    with working_on(agent, _task(agent)) as task:
        for name, value in fields.items():
            setattr(task, name, value)
        if error is not None:
            raise error


def test_a_block_that_ends_completes_the_task() -> None:
    agent = FakeAgent()
    _work(agent, details="done", result={"x": 1})
    assert agent.told == [("completed", "done")]


@pytest.mark.parametrize(("error", "told"), [
    (RuntimeError("boom"), ("failed", "RuntimeError: boom")),
    (SystemExit(3), ("failed", "SystemExit: 3")),
    (KeyboardInterrupt(), ("release",)),
])  # fmt: skip
def test_an_exception_goes_on_and_the_task_fails_or_is_given_back(
    error: BaseException, told: tuple[str, ...]
) -> None:
    agent = FakeAgent()
    with pytest.raises(type(error)):
        _work(agent, error)
    assert agent.told == [told]


def test_what_happened_in_the_block_is_not_hidden_by_a_kortana_that_is_gone() -> None:
    with pytest.raises(RuntimeError, match="boom"):
        _work(FakeAgent(gone=True), RuntimeError("boom"))
    with pytest.raises(ConnectionError):
        _work(FakeAgent(gone=True))


def test_a_result_that_cannot_be_sent_fails_the_task_instead_of_leaving_it_held() -> None:
    agent = FakeAgent()
    with pytest.raises(TypeError, match="cannot be sent"):
        _work(agent, result={1, 2})
    assert agent.told == [("failed", "TypeError: cannot be sent")]


def test_a_blocked_task_is_given_back_and_not_completed() -> None:
    agent = FakeAgent()
    with working_on(agent, _task(agent)) as task:  # type: ignore[arg-type]
        task.block("needs another", ("other",))
    assert agent.told == [("blocker", "needs another"), ("release",)]
    agent.told.clear()
    with working_on(agent, _task(agent)) as task:  # type: ignore[arg-type]
        task.block("needs another")
        task.progress(50)
    assert [told[0] for told in agent.told] == ["blocker", "in_progress", "completed"]


def test_nothing_is_told_of_a_task_that_was_given_back_or_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = FakeAgent()
    with working_on(agent, _task(agent)) as task:  # type: ignore[arg-type]
        task.give_back()
    assert agent.told == [("release",)]
    monkeypatch.setattr("kortana.agent.working.renew_every_s", lambda ttl_s: 0.001)
    agent = FakeAgent(lost=True)
    gone = threading.Event()
    with pytest.raises(RuntimeError), working_on(agent, _task(agent)) as task:  # type: ignore[arg-type]
        task.when_lost(gone.set)
        assert gone.wait(60)
        raise RuntimeError("stop")
    assert agent.told == []


def test_what_json_cannot_say_is_refused_where_it_is_said() -> None:
    agent = AgentInterface("me", project_root="/nowhere", patience_s=0.01)
    with pytest.raises(TypeError, match="a task has no dependson; it has title, run,"):
        agent.add_task("t", dependson=["a"])
    for call in (lambda: agent.claim_task("t", ttl=float("nan")), lambda: agent.claim_task(wait=float("inf")),
                 lambda: agent.update_task_status("t", "in_progress", progress=float("nan"))):  # fmt: skip
        with pytest.raises(ValueError, match="a number is needed"):
            call()


def test_a_task_that_cannot_be_renewed_for_want_of_a_thread_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    agent = FakeAgent()
    with pytest.raises(OSError, match="no more threads"), working_on(agent, _task(agent)):
        raise AssertionError("never begun")
    assert agent.told == [("release",)]
