"""One client's session with the running Kortana: connects at the first need, keeps leases alive, retries in bounds."""

import json
import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from kortana.agent.interface import AgentInterface, KortanaUnavailable, Refused
from kortana.agent.pace import renew_every_s, sign_of_life_every_s
from kortana.mcp.rpc import Call, Cancelled
from kortana.mcp.tools import NEXT_STEPS, ToolError
from kortana.processes.threads import starting_threads
from kortana.protocol import event as ev
from kortana.protocol.codec import as_event_id, encode_json
from kortana.protocol.event import Event
from kortana.transport.outgoing import make_event

PATIENCE_S = 15.0
"""How long a call waits while Kortana restarts, or is not up yet."""
RENEW_LEAST_S = 0.2
EVENTS_SHOWN = 100
EVENTS_BYTES = 256 * 1024
INBOX_EVENTS, INBOX_BYTES = 100, 32 * 1024


def agent_name(client: str, wanted: str | None) -> str:
    """The name this client speaks under: as told, as the worker it runs in, or its own name and this process's id."""
    if wanted or os.environ.get("KORTANA_AGENT"):
        return wanted or os.environ["KORTANA_AGENT"]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", client).strip("-._")[:40] or "mcp"
    return f"{plain}-{os.getpid()}"


class Session:
    """Raises ToolError with what a model can act on."""

    def __init__(self, name: str, root: str | None) -> None:
        self.name = name
        self._root = root
        self._agent: AgentInterface | None = None
        self._lock = threading.Lock()
        self._held: dict[str, tuple[int, float]] = {}
        """Task → (token, TTL in seconds)."""
        self._letters = threading.Condition()
        self._unread: deque[Event] = deque()
        """Received, and not given out yet."""
        self._receiving = False
        self._changed = threading.Event()
        self._closed = False
        self._renewer: threading.Thread | None = None
        inside = name == os.environ.get("KORTANA_AGENT") and "KORTANA_TASK" not in os.environ
        self._sign_s = sign_of_life_every_s() if inside else None
        """So often it speaks where it holds nothing: a supervised command has no other voice. In a task it has: the
        adapter that runs it, which this must not cover up for."""

    def agent(self) -> AgentInterface:
        with self._lock:
            if self._agent is None:
                inside = bool(os.environ.get("KORTANA_SOCKET")) and self._root is None
                self._agent = AgentInterface(
                    self.name, None if inside else self._root or os.getcwd(), tie_leases=True, patience_s=PATIENCE_S
                )
                if self._sign_s is not None:
                    self._begin_to_renew()
            return self._agent

    def close(self) -> None:
        """The client is gone: what it held is released with the connection."""
        self._closed = True
        self._changed.set()
        if self._agent is not None:
            self._agent.close()

    def submit(
        self, kind: str, task: str | None, payload: dict[str, Any], key: str | None = None, wait_s: float = 0.0,
        target: str = ev.COORDINATOR,
    ) -> dict[str, Any]:  # fmt: skip
        """The accepted answer's payload. The same key is the same event, however often it is sent."""
        event_id = as_event_id(f"mcp-{self.name}-{key}") if key else None
        event = make_event(self.name, kind, target=target, task_id=task, payload=payload, event_id=event_id)
        answer: dict[str, Any] = self._reach(lambda: self.agent().request(event, wait_s + 30.0))
        if not answer["accepted"]:
            raise ToolError(_refusal(answer))
        return answer

    def query(self, command: str, **args: Any) -> Any:
        return self.submit(ev.COMMAND, None, {"command": command, "args": args})["result"]

    def all_tasks(self, status: str | None) -> Iterator[dict[str, Any]]:
        following: int | None = 0
        while following is not None:
            page = self.query("tasks", **{"from": following}, **({"status": status} if status else {}))
            yield from page["tasks"]
            following = page["next"]

    def inbox(self, wait_s: float, call: Call) -> tuple[list[dict[str, Any]], bool]:
        """What has come, oldest first, and whether there may be more than a model takes at once; waits only for the
        first. What is given out counts as read; where the call was given up while it waited, nothing is."""
        event = self._next_event(wait_s)
        try:
            call.settle()
        except Cancelled:
            if event is not None:
                with self._letters:
                    self._unread.appendleft(event)
                    self._letters.notify()
            raise
        found: list[dict[str, Any]] = []
        size = 0
        while event is not None:
            text = encode_json(event)
            size += len(text)
            found.append(json.loads(text))
            if len(found) == INBOX_EVENTS or size >= INBOX_BYTES:
                break
            try:
                event = self._next_event(0)
            except ToolError:
                return found, True  # those before count as read already
        self.agent().confirm()
        return found, event is not None

    def _next_event(self, wait_s: float) -> Event | None:
        """One call at a time receives; others wait for it, since what it gets may be left to them."""
        deadline, looked = time.monotonic() + wait_s, False
        with self._letters:
            while not self._unread:
                left = max(deadline - time.monotonic(), 0.0)
                if looked and not left:
                    return None
                if self._receiving:
                    looked = not self._letters.wait(left)
                    continue
                self._receiving = looked = True
                try:
                    self._receive(left)
                finally:
                    self._receiving = False
                    self._letters.notify_all()
            return self._unread.popleft()

    def _receive(self, wait_s: float) -> None:
        """Under the condition, which is let go while it waits."""
        self._letters.release()
        try:
            event = self._reach(lambda: self.agent().receive(wait_s))
        finally:
            self._letters.acquire()
        if event is not None:
            self._unread.append(event)

    def events(self) -> list[dict[str, Any]]:
        """The last records of the journal."""
        self._reach(lambda: self.agent().connect())
        path = os.path.join(self.agent().welcome.get("data_dir", ""), "coordination_events.jsonl")
        try:
            with open(path, "rb") as file:
                begin = max(file.seek(0, os.SEEK_END) - EVENTS_BYTES, 0)
                file.seek(begin)
                lines = file.read().split(b"\n")[1 if begin else 0 : -1]
        except OSError as error:
            raise ToolError(f"the journal cannot be read: {error.strerror}") from None
        return [json.loads(line) for line in lines[-EVENTS_SHOWN:]]

    def _reach(self, call: Any) -> Any:
        try:
            return call()
        except KortanaUnavailable:
            what = "Kortana is not running here. Next: ask the person to start it with `kortana up`, then call again."
            raise ToolError(what) from None
        except Refused as error:
            raise ToolError(f"Kortana refuses this client: {error}") from None
        except TimeoutError as error:
            raise ToolError(f"{error}. Next: call again; a call with the same id has no second effect.") from None
        except ValueError as error:
            raise ToolError(str(error)) from None

    # leases

    def hold(self, task: str, lease: dict[str, Any]) -> None:
        """Keeps a lease alive from now on."""
        self._held[task] = (int(lease["token"]), float(lease["ttl_s"]))
        self._changed.set()
        with self._lock:
            self._begin_to_renew()

    def give_back(self, task: str, lease: dict[str, Any]) -> None:
        """A lease that nobody is told of, where it was not held before."""
        token = int(lease["token"])
        if self._held.get(task, (0, 0.0))[0] != token:
            with suppress(ToolError):
                self.submit(ev.TASK_RELEASE, task, {"token": token})

    def let_go(self, task: str) -> None:
        self._held.pop(task, None)

    def with_token(self, task: str | None, payload: dict[str, Any]) -> dict[str, Any]:
        held = self._held.get(task or "")
        return payload if held is None else {**payload, "token": held[0]}

    def _begin_to_renew(self) -> None:
        if self._renewer is None:
            renewer = threading.Thread(target=self._renew, name="renew", daemon=True)
            with suppress(OSError), starting_threads():  # without one a lease lives by its TTL, and heartbeats
                renewer.start()
                self._renewer = renewer

    def _renew(self) -> None:
        """What is claimed meanwhile puts nothing off."""
        last = time.monotonic()
        while not self._closed:
            held = dict(self._held)
            pauses = [renew_every_s(ttl) for _, ttl in held.values()]
            pause = min(pauses) if pauses else self._sign_s
            left = None if pause is None else last + max(pause, RENEW_LEAST_S) - time.monotonic()
            if left is None or left > 0:
                if self._changed.wait(left):
                    self._changed.clear()
                    last = last if held else time.monotonic()
                continue
            last = time.monotonic()
            if not held:
                self._beat(None, {})
            for task, (token, _) in held.items():
                if self._held.get(task, (0, 0.0))[0] == token:
                    self._renew_one(task, token)

    def _renew_one(self, task: str, token: int) -> None:
        reason = self._beat(task, {"token": token})
        if reason not in ("", "unavailable", "shutting_down"):
            self.let_go(task)

    def _beat(self, task: str | None, payload: dict[str, Any]) -> str:
        """Why the heartbeat was refused; empty where it was not, or there was no answer."""
        event = make_event(self.name, ev.HEARTBEAT, task_id=task, payload=payload)
        try:
            answer = self.agent().request(event, 30.0)
        except (OSError, TimeoutError, Refused):
            time.sleep(RENEW_LEAST_S)
            return ""
        return str(answer["reason"])


def _refusal(answer: dict[str, Any]) -> str:
    reason = answer["reason"]
    result = answer.get("result")
    detail = result.get("detail", "") if isinstance(result, dict) else ""
    following = NEXT_STEPS.get(reason) or (NEXT_STEPS["not_owner"] if reason.startswith("task_owned_by_") else "")
    text = f"refused: {reason}" + (f" ({detail})" if detail else "")
    return text + (f". Next: {following}." if following else ".")
