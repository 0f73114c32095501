"""What the coordinator answers, as values: an answer, a claimed task, a denial."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kortana.agent.interface import AgentInterface


class Answer:
    """An ACK. True where it was accepted."""

    def __init__(self, payload: dict[str, Any]) -> None:
        self.payload = payload
        self.accepted: bool = payload["accepted"]
        self.reason: str = payload["reason"]
        self.seq: int | None = payload.get("seq")
        self.task: dict[str, Any] = payload.get("task") or {}
        self.lease: dict[str, Any] = payload.get("lease") or {}
        self.result: Any = payload.get("result")

    def __bool__(self) -> bool:
        return self.accepted

    def __repr__(self) -> str:
        detail = f", detail={self.detail!r}" if self.detail else ""
        return f"Answer(accepted={self.accepted}, reason={self.reason!r}{detail}, task={self.task.get('id')!r})"

    @property
    def task_id(self) -> str:
        return str(self.task.get("id", ""))

    @property
    def token(self) -> int:
        """The fencing token of a granted claim."""
        return int(self.lease.get("token", 0))

    @property
    def ttl_s(self) -> float:
        """The TTL of a granted claim, seconds."""
        return float(self.lease.get("ttl_s", 0.0))

    @property
    def detail(self) -> str:
        """One sentence more on a refusal, or nothing."""
        return str(self.result.get("detail", "")) if isinstance(self.result, dict) else ""


class ClaimDenied(Exception):
    """A claim was refused. Carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason)
        self.answer = answer
        self.reason = answer.reason


class Task:
    """A task that this agent holds. Give `progress`, `result` and `details` as the work goes on."""

    def __init__(self, answer: Answer, agent: "AgentInterface") -> None:
        self._agent = agent
        self._lock = threading.RLock()  # a signal handler may lose what its own thread is about to watch
        self._lost = False
        self._when_lost: list[Callable[[], object]] = []
        self.id = answer.task_id
        self.token = answer.token
        self.ttl_s = answer.ttl_s
        self.fields = answer.task
        """The task as the claim's answer showed it."""
        self.details = ""
        self.result: Any = None
        self.settled = False
        """It was given back."""
        self.is_blocked = False

    @property
    def is_open(self) -> bool:
        """Whether its end is still to be told."""
        return not self._lost and not self.settled

    @property
    def lost(self) -> bool:
        """The lease is no longer this agent's: whatever is written now may meet another's work."""
        return self._lost

    def lose(self) -> None:
        """The lease is gone; whoever wants to know is told, once."""
        with self._lock:
            told, self._when_lost, self._lost = self._when_lost, [], True
        for tell in told:
            tell()

    def when_lost(self, tell: Callable[[], object]) -> None:
        """`tell` is called as soon as the lease is gone, on the thread that finds it out; at once where it is."""
        with self._lock:
            if not self._lost:
                self._when_lost.append(tell)
                return
        tell()

    def progress(self, percent: float, details: str = "") -> Answer:
        """Reports how far the work is, 0 to 100."""
        self.is_blocked = False
        return self._agent.update_task_status(self.id, "in_progress", details, percent)

    def block(self, reason: str, needs: tuple[str, ...] = ()) -> Answer:
        """Reports that the work cannot go on; at the end of the block it is given back, and stays blocked, unless
        `progress` says that it goes on."""
        answer = self._agent.report_blocker(self.id, reason, needs)
        self.is_blocked = answer.accepted
        return answer

    def give_back(self) -> Answer:
        """Gives the task back unfinished."""
        self.settled = True
        return self._agent.release_task(self.id)
