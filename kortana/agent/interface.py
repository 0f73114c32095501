"""AgentInterface: how a worker, or any Python program on this machine, takes part."""

import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from kortana.agent.answers import Answer, ClaimDenied, Task
from kortana.agent.inbox import Inbox
from kortana.agent.working import renewing, working_on
from kortana.config.whereabouts import data_dir_above
from kortana.protocol import event as ev
from kortana.protocol import reasons
from kortana.protocol.coverage import in_parts
from kortana.protocol.event import Event
from kortana.protocol.names import is_agent_name
from kortana.protocol.payloads import TaskAdd
from kortana.transport.client import Client
from kortana.transport.dialing import KortanaUnavailable, Refused
from kortana.transport.endpoint import find_socket
from kortana.transport.outgoing import Hello, make_event

__all__ = ["AgentInterface", "Answer", "ClaimDenied", "KortanaUnavailable", "Refused", "Task"]

REQUEST_TIMEOUT_S = 60.0
PAUSE_AT_THE_END_S = 1.0


def _finite(number: float) -> float:
    """JSON has no other numbers: they would arrive as none at all."""
    if not math.isfinite(number):
        raise ValueError(f"a number is needed, not {number}")
    return float(number)


class AgentInterface:
    """One agent's voice. Any number of threads may use it.

    name: defaults to `$KORTANA_AGENT`. project_root: where kortana.yaml stands, a folder below it, or a configuration
    of another name; only for an agent that Kortana did not start. tie_leases: what is claimed here is released
    when the connection closes. patience_s: how long a call waits while no Kortana answers, as during a restart.
    Raises ValueError for a name that no agent can have.
    """

    def __init__(
        self,
        name: str | None = None,
        project_root: str | os.PathLike[str] | None = None,
        *,
        tie_leases: bool = False,
        receive: bool = True,
        patience_s: float = 30.0,
    ) -> None:
        self.name = name or os.environ.get("KORTANA_AGENT", "")
        if not is_agent_name(self.name):
            raise ValueError(f"{self.name!r} is no agent name; give one, or set KORTANA_AGENT")
        self._fixed_socket = os.environ.get("KORTANA_SOCKET") if project_root is None else None
        self._run_folder = None if self._fixed_socket else data_dir_above(Path(project_root or ".").resolve()) / "run"
        hello = Hello(self.name, receive=receive, tie_leases=tie_leases)
        self._client = Client(self._find_socket, hello, patience_s)
        self._tokens: dict[str, int] = {}
        self._ttls: dict[str, float] = {}
        self._inbox = Inbox(self._client, self.name)
        self.timeout_s = REQUEST_TIMEOUT_S
        """So long a call waits for its answer; then it raises TimeoutError."""

    def _find_socket(self) -> str | None:
        if self._run_folder is None:
            return self._fixed_socket
        return find_socket(self._run_folder)

    def __enter__(self) -> "AgentInterface":
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """Says HELLO. Raises KortanaUnavailable and Refused. Every other call connects by itself."""
        self._client.connect()

    def close(self) -> None:
        self._client.close()

    @property
    def socket(self) -> str | None:
        """Where the running Kortana listens; None where none runs."""
        return self._find_socket()

    @property
    def lease_ttl_s(self) -> float:
        """The TTL of a claim that asks for none."""
        return float(self._client.welcome.get("lease_ttl_s", 120.0))

    @property
    def welcome(self) -> dict[str, Any]:
        """The answer to HELLO: project, root, data_dir, guard, version, ...; empty before the first connection."""
        return self._client.welcome

    def request(self, event: Event, timeout_s: float = REQUEST_TIMEOUT_S) -> dict[str, Any]:
        """Sends an event that was made elsewhere, and gives the payload of its ACK."""
        return self._client.request(event, timeout_s)

    def claim_task(
        self,
        task_id: str | None = None,
        details: str = "",
        *,
        ttl: float | None = None,
        wait: float = 0,
        having: Iterable[str] = (),
    ) -> Answer:
        """Claims a task, or the next one that this agent can do. Truthy where granted, with `task` and `token`.

        ttl: seconds. wait: up to how many seconds to wait until it can be granted. having: the next one in which one of
        these fields says what is to be done: run, prompt, title. Raises ValueError for what is no number of seconds.
        One that would have waited, and is refused because Kortana ends, gives its answer a second late: many ask in a
        loop, until they are stopped.
        """
        payload: dict[str, Any] = {"details": details, "wait_s": _finite(wait)}
        if ttl is not None:
            payload["ttl_s"] = _finite(ttl)
        if having:
            payload["having"] = list(having)
        answer = self._ask(ev.TASK_CLAIM, task_id, payload, timeout_s=wait + self.timeout_s)
        if answer:
            self._tokens[answer.task_id] = answer.token
            self._ttls[answer.task_id] = answer.ttl_s
        elif answer.reason == reasons.SHUTTING_DOWN:
            time.sleep(min(max(wait, 0.0), PAUSE_AT_THE_END_S))
        return answer

    def heartbeat(self, task_id: str | None = None, details: str = "") -> Answer:
        """Renews the lease on a task, or all of this agent's."""
        return self._ask(ev.HEARTBEAT, task_id, self._with_token(task_id, {"details": details}))

    def note(self, task_id: str, details: str) -> None:
        """Says what is being done, which counts as progress; renews the lease. Waits for no answer, changes no status,
        and is lost where Kortana is not there just now."""
        payload = self._with_token(task_id, {"details": details})
        with suppress(OSError):
            self.send_event(ev.HEARTBEAT, ev.COORDINATOR, task_id, payload)

    def update_task_status(
        self, task_id: str, status: str, details: str = "", progress: float | None = None, result: Any = None
    ) -> Answer:
        """`in_progress`, `blocked`, `completed`, `failed`, or `pending` (gives it back). progress: 0 to 100."""
        payload: dict[str, Any] = {"status": status, "details": details}
        if progress is not None:
            payload["progress"] = _finite(progress)
        if result is not None:
            payload["result"] = result
        answer = self._ask(ev.TASK_UPDATE, task_id, self._with_token(task_id, payload))
        if answer and status in ("completed", "failed", "pending"):
            self._forget(task_id)
        return answer

    def report_blocker(self, task_id: str, reason: str, needs: Sequence[str] = ()) -> Answer:
        """Marks a task blocked, and makes the others replan. needs: tasks whose completion unblocks it."""
        payload = {"reason": reason, "needs": list(needs)}
        return self._ask(ev.BLOCKER, task_id, self._with_token(task_id, payload))

    def release_task(self, task_id: str) -> Answer:
        """Gives a task back."""
        answer = self._ask(ev.TASK_RELEASE, task_id, self._with_token(task_id, {}))
        if answer:
            self._forget(task_id)
        return answer

    def add_task(self, task_id: str, title: str = "", **fields: Any) -> Answer:
        """Adds a task. fields: `run prompt priority depends_on paths requires lease_ttl_s max_attempts`. Raises
        TypeError for any other."""
        known = TaskAdd.__struct_fields__
        if unknown := fields.keys() - set(known):
            raise TypeError(f"a task has no {', '.join(sorted(unknown))}; it has {', '.join(known)}")
        return self._ask(ev.TASK_ADD, task_id, {"title": title, **fields})

    def get_task(self, task_id: str) -> dict[str, Any] | None:
        """A task as task_graph.json shows it, or None."""
        payload = {"command": "task", "args": {"id": task_id}}
        found = self._ask(ev.COMMAND, None, payload).result
        return found if isinstance(found, dict) and "id" in found else None

    def coverage(self, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Each path (from the project's root) → whose live leases cover it: `{"mine": [...], "others": [...]}`."""
        found: dict[str, dict[str, Any]] = {}
        for part in in_parts(paths):
            answer = self._ask(ev.COMMAND, None, {"command": "coverage", "args": {"agent": self.name, "paths": part}})
            found.update(answer.result if answer else {path: {"mine": [], "others": []} for path in part})
        return found

    def send_event(
        self,
        event_type: str,
        target: str = "all",
        task_id: str | None = None,
        payload: dict[str, Any] | None = None,
        requires_ack: bool = False,
        priority: str = "normal",
    ) -> Answer | None:
        """Sends any event. Gives the answer where one is required, else None at once."""
        event = make_event(self.name, event_type, target, task_id, payload, priority, requires_ack)
        if requires_ack:
            return Answer(self._client.request(event, self.timeout_s))
        self._client.post(event)
        return None

    def receive(self, timeout: float | None = None, *, confirm: bool = True) -> Event | None:
        """The next event of the mailbox, or None when the time (seconds; None: no end) is over.

        An event counts as received when the next one is asked for: one that was being worked on when the
        process died is delivered again. A worker's main thread says that it lives while it waits. confirm: False
        leaves that to a later call, or to `confirm`.
        """
        return self._inbox.receive(timeout, confirm)

    def confirm(self) -> None:
        """What `receive` gave last counts as received from now on."""
        self._inbox.confirm()

    def check_for_directives(self, messages: Sequence[dict[str, Any]] | None = None) -> list[Any]:
        """The directives that are waiting in the mailbox, without waiting; other events stay for `receive`.

        messages: what `get_new_events` gave; then the directives among those.
        """
        if messages is not None:
            return [message for message in messages if message.get("event_type") == ev.DIRECTIVE]
        return self._inbox.take_directives()

    # the calls of agents that were written for files

    def send_output(self, text: str, target: str = "all") -> None:
        """Tells others what was done."""
        self.send_event(ev.INFO, target, payload={"intent": "OUTPUT", "text": text})

    def send_status(self, status: str, details: str = "", target: str = "all") -> None:
        """Tells others how it stands."""
        self.send_event(ev.INFO, target, payload={"intent": "STATUS", "text": status, "details": details})

    def send_intent(self, text: str, target: str = "all") -> None:
        """Tells others what is to come."""
        self.send_event(ev.INFO, target, payload={"intent": "INTENT", "text": text})

    def get_new_events(self) -> list[dict[str, Any]]:
        """Everything in the mailbox (at most 10,000), as JSON values, without waiting; it counts as received."""
        self.connect()
        return [msgspec.to_builtins(event) for event in self._inbox.take_all()]

    def get_new_messages(self) -> list[str]:
        """The mailbox as lines of text, `sender: text`."""
        events = self.get_new_events()
        return [f"{e['source']}: {e['payload'].get('text') or e['payload'].get('instruction')}" for e in events]

    def clear_queue(self) -> int:
        """Throws the mailbox away; gives how much there was."""
        return len(self.get_new_events())

    def get_queue_status(self) -> dict[str, Any]:
        """`{"agent", "pending", "connected"}`: what has come and was not read."""
        self.connect()
        return {"agent": self.name, "pending": self._inbox.waiting(), "connected": True}

    @contextmanager
    def claim(
        self, task_id: str | None = None, *, ttl: float | None = None, wait: float = 0, having: Iterable[str] = ()
    ) -> Iterator[Task]:
        """Claims a task for a block of code: renews it in the background, completes it at the end, reports failure on
        an exception; gives it back on KeyboardInterrupt, and leaves it blocked after `task.block`. Raises ClaimDenied,
        and TypeError or ValueError for a `task.result` that cannot be sent."""
        answer = self.claim_task(task_id, ttl=ttl, wait=wait, having=having)
        if not answer:
            raise ClaimDenied(answer)
        with working_on(self, Task(answer, self)) as task:
            yield task

    def renewing(self, task: Task) -> AbstractContextManager[None]:
        """Renews the lease of a task in the background, as often as `pace` says; a refusal sets `task.lost`."""
        return renewing(self, task)

    def _ask(
        self, event_type: str, task_id: str | None, payload: dict[str, Any], timeout_s: float | None = None
    ) -> Answer:
        event = make_event(self.name, event_type, task_id=task_id, payload=payload)
        return Answer(self._client.request(event, self.timeout_s if timeout_s is None else timeout_s))

    def _with_token(self, task_id: str | None, payload: dict[str, Any]) -> dict[str, Any]:
        token = self._tokens.get(task_id or "")
        return payload if token is None else {**payload, "token": token}

    def _forget(self, task_id: str) -> None:
        self._tokens.pop(task_id, None)
        self._ttls.pop(task_id, None)
