"""Who may speak, and as whom: tokens of incarnations, the socket's peer, and roles (CONTRACT section 6)."""

import hmac
import time
from collections.abc import Callable

from kortana.protocol import event as ev
from kortana.protocol import payloads, reasons
from kortana.protocol.event import Event
from kortana.protocol.names import is_agent_name
from kortana.transport.connection import Admission
from kortana.transport.peer import Peer, is_owner

ROLES = frozenset({"agent", "operator", "observer"})


def _is_same(token: str, shown: str | None) -> bool:
    return hmac.compare_digest(token.encode(), (shown or "").encode())


class Gate:
    """The tokens in force, and when each agent was last heard. Shared by coordinator, supervisor and workers.

    is_inside: whether a pid belongs to the tree of a worker.
    """

    def __init__(
        self,
        project: str,
        is_inside: Callable[[int], bool],
        data_dir: str = "",
        guard: str = "warn",
        root: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.project = project
        self.guard = guard
        self.data_dir = data_dir
        self.root = root
        self._is_inside = is_inside
        self._monotonic = monotonic
        self._tokens: dict[str, tuple[str, int]] = {}
        self._announced: dict[str, str] = {}
        self._declared: dict[str, None] = {}
        self._seen: dict[str, float] = {}
        self._progressed: dict[str, float] = {}
        self._is_waiting: Callable[[str], bool] = lambda agent: False
        self._is_busy: Callable[[str], bool] = lambda agent: False
        self.nobody_is_left = False
        """There were workers, and none of them will start again by itself. Only where the end is waited for."""
        self.only_adapters = False
        """The workers that are not gone are agent adapters, and run: they only do what they claim. As above."""

    def declare(self, worker: str) -> None:
        """No guest may carry this name."""
        self._declared[worker] = None

    def announce(self, worker: str, token: str) -> None:
        """Its next incarnation may begin before it is handed this out, and is to wait until then."""
        self._announced[worker] = token

    def hand_out(self, worker: str, token: str, incarnation: int) -> None:
        """From now on only this incarnation speaks for the worker."""
        self._seen.pop(worker, None)
        self._progressed.pop(worker, None)
        self._announced.pop(worker, None)
        self._tokens[worker] = (token, incarnation)

    def withdraw(self, worker: str) -> None:
        self._tokens.pop(worker, None)
        self._seen.pop(worker, None)

    def may_speak(self, agent: str, incarnation: int | None) -> str:
        """Empty, or why what comes on a connection that was admitted counts no more: its incarnation has ended (what it
        had sent before its end may be read only after it), or it is a guest's (None) whose name is a worker's now."""
        if incarnation is None:
            return "the name of a declared worker" if agent in self._declared else ""
        known = self._tokens.get(agent)
        return "" if known is not None and known[1] == incarnation else "this incarnation has ended"

    def undeclare(self, worker: str) -> None:
        """It is no worker any more."""
        self._declared.pop(worker, None)
        self._announced.pop(worker, None)
        self.withdraw(worker)

    def saw(self, agent: str, now: float, progressed: bool = False) -> None:
        """It has spoken (`now`: monotonic); with something that shows progress, or only a sign of life."""
        self._seen[agent] = now
        if progressed:
            self._progressed[agent] = now

    def attend(self, is_waiting: Callable[[str], bool], is_busy: Callable[[str], bool]) -> None:
        """A coordinator begins. is_waiting, is_busy: whether an agent waits for a claim, and whether it holds a task.

        Who waited for the one before will say so again, once it has connected anew.
        """
        for agent in list(self._seen):
            if self._is_waiting(agent):
                self.waited(agent)
        self._is_waiting, self._is_busy = is_waiting, is_busy

    def waited(self, agent: str) -> None:
        """Its claim ends to wait, just now: it has had nothing to say meanwhile, and nothing to get anywhere with."""
        if agent in self._seen:
            self._seen[agent] = self._progressed[agent] = self._monotonic()

    def last_progress(self, agent: str) -> float | None:
        """When an agent that holds a task last showed progress (monotonic); now, where it has nothing to do."""
        if agent not in self._seen:
            return None
        return self._progressed.get(agent, self._seen[agent]) if self._is_busy(agent) else self._monotonic()

    def last_seen(self, agent: str) -> float | None:
        """When the agent last spoke (monotonic); now, while it waits for a claim; None before its HELLO."""
        seen = self._seen.get(agent)
        return self._monotonic() if seen is not None and self._is_waiting(agent) else seen

    def admit(self, event: Event, peer: Peer) -> Admission | str:
        """The admission, or `reason: detail` of its refusal."""
        if event.event_type != ev.HELLO:
            return f"{reasons.BAD_PAYLOAD}: HELLO comes first"
        hello = payloads.read_payload(payloads.Hello, event.payload)
        if isinstance(hello, str):
            return f"{reasons.BAD_PAYLOAD}: {hello}"
        if hello.protocol != 1 or hello.role not in ROLES:
            return f"{reasons.BAD_PAYLOAD}: protocol 1, and role agent, operator or observer"
        if not is_owner(peer):
            return f"{reasons.FORBIDDEN}: another user owns this tree"
        if hello.role == "agent":
            return self._admit_agent(event.source, hello, peer)
        if self._is_inside(peer.pid):
            return f"{reasons.FORBIDDEN}: a process of a worker cannot be {hello.role}"
        if hello.role == "operator" and event.source != ev.OPERATOR:
            return f"{reasons.SOURCE_MISMATCH}: an operator's source is operator"
        if hello.role == "observer" and event.source == ev.OPERATOR:
            return f"{reasons.SOURCE_MISMATCH}: an observer is not the operator"
        return Admission(hello.role, bool(hello.receive), False, None, peer.pid)

    def _admit_agent(self, source: str, hello: payloads.Hello, peer: Peer) -> Admission | str:
        if not is_agent_name(source):
            return f"{reasons.BAD_PAYLOAD}: {source!r} is no agent name"
        receive = hello.receive is not False
        if source in self._declared:
            known, announced = self._tokens.get(source), self._announced.get(source)
            if known is None or not _is_same(known[0], hello.token):
                if announced is not None and _is_same(announced, hello.token):
                    return f"{reasons.UNAVAILABLE}: the end of the incarnation before this one is being dealt with"
                return f"{reasons.FORBIDDEN}: the name of a declared worker, without its current token"
            return Admission("agent", receive, hello.tie_leases, known[1], peer.pid)
        if self._is_inside(peer.pid):
            return f"{reasons.SOURCE_MISMATCH}: a process of a worker speaks as that worker"
        return Admission("agent", receive, hello.tie_leases, None, hello.pid or peer.pid)
