"""Tells whoever watches `kortana up` what happens, as plain lines, and keeps one live line on a terminal."""

import contextlib
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from kortana.processes.outlet import Outlet
from kortana.protocol import event as ev
from kortana.protocol.event import Record
from kortana.protocol.legible import legible

MAX_WAITING = 1000
MAX_LINE = 2000
"""Characters; `kortana events --json` has all of it."""
LIVE_INTERVAL_S = 0.2
PATIENCE_S = 0.2
"""A reader that takes nothing for so long holds the end of Kortana up no longer."""


_MESSAGES = frozenset({ev.INFO, ev.REQUEST_REVIEW, ev.MERGE_READY})


def describe(record: Record) -> str | None:
    """One line for a person, or None for what is of no interest while watching."""
    event, payload = record.event, record.event.payload
    if event.event_type == ev.ACK and event.source == ev.COORDINATOR:
        return _describe_answer(event.target, event.task_id, payload)
    if event.event_type == ev.DIRECTIVE and event.source == ev.COORDINATOR:
        if payload.get("instruction") == "claim_denied":
            return f"{event.target} was denied {event.task_id}: {payload['reason']}"
        if payload.get("instruction") == "unblocked" and event.target == payload.get("by"):
            return f"{event.task_id} is unblocked ({payload.get('reason')})"
    if event.target == ev.OPERATOR and event.event_type in _MESSAGES:
        about = f" on {event.task_id}" if event.task_id else ""
        return f"{event.source} to operator: {event.event_type}{about} {payload.get('text', '')}".rstrip()
    if event.event_type == ev.BLOCKER:
        needs = ", ".join(payload.get("needs", ())) or "help"
        return f"{event.source} is blocked on {event.task_id}: {payload.get('reason')} (needs {needs}); others replan"
    if event.event_type in (ev.LEASE_EXPIRED, ev.LEASE_RELEASED):
        verb = "expired" if event.event_type == ev.LEASE_EXPIRED else "released"
        return f"lease of {payload['by']} on {event.task_id} {verb}: {payload['reason']}"
    if event.event_type == ev.TASK_QUARANTINED:
        return f"{event.task_id} is quarantined: {payload['reason']}"
    if event.event_type == ev.TASK_UPDATE and payload.get("progress") is not None:
        return f"{event.source} is at {payload['progress']:.0f} % of {event.task_id}: {payload.get('details', '')}"
    return None


_ASKED_FOR = frozenset({ev.BLOCKER, ev.TASK_UPDATE})


def described(records: list[Record]) -> Iterator[str]:
    """The lines for what a turn has decided. What agents ask for is told with its answer, and only where that accepts
    it: whatever is refused may say anything, and changes nothing."""
    asked: dict[str, Record] = {}
    for record in records:
        event = record.event
        if event.event_type in _ASKED_FOR:
            asked[event.id] = record
            continue
        told = [record]
        if event.event_type == ev.ACK and event.source == ev.COORDINATOR:
            request = asked.pop(event.payload["ack_for_event_id"], None)
            if request is not None and event.payload["accepted"]:
                told.insert(0, request)
        yield from filter(None, map(describe, told))


def _describe_answer(agent: str, task: str | None, payload: dict[str, Any]) -> str | None:
    if "lease" in payload:
        return f"{agent} holds {payload['task']['id']} (token {payload['lease']['token']})"
    status = payload.get("task", {}).get("status")
    if payload["accepted"] and status == "completed":
        return f"{agent} completed {task}"
    if payload["accepted"] and status == "cancelled":
        return f"{task} is cancelled"
    return None


_PLAIN = frozenset({
    "core_died", "core_restarted", "journal_unavailable", "launcher_gone", "launcher_hung", "launcher_waits",
    "shutting_down",
})  # fmt: skip
LONG_WAIT_S = 1.0
"""That a worker starts again after less is not worth a line."""


def describe_event(event: str, fields: dict[str, Any]) -> str | None:
    """The same for an event of the supervision log."""
    if event in _PLAIN:
        return ": ".join(filter(None, (event.replace("_", " "), str(fields.get("cause") or fields.get("error") or ""))))
    worker, cause, error = fields.get("worker"), fields.get("cause"), fields.get("error")
    match event:
        case "crashed":
            return f"{worker} crashed: {cause}" + (f" ({fields['crash_id']})" if fields.get("crash_id") else "")
        case "start_failed":
            return f"{worker} could not start: {error}"
        case "failed" if error:
            return f"{worker} could not start: {error}"
        case "unhealthy":
            return f"{worker} is unhealthy: {cause}"
        case "exited" if cause and not fields.get("intent"):
            return f"{worker} has ended: {cause}"
        case "mailbox_full":
            return f"the mailbox of {fields['agent']} is full: {fields['dropped']} dropped so far"
        case "gave_up":
            return f"{worker} is given up: the restart budget of the {fields['scope']} is used up"
        case "parked":
            return f"{worker} waits for its {cause}, {fields['retry_in_s']:g} s"
        case "restarting" if fields["delay_s"] >= LONG_WAIT_S:
            return f"{worker} starts again in {fields['delay_s']:.1f} s"
    return None


class Console:
    """A thread of its own with a bounded queue: a slow reader loses lines and holds nobody up.

    progress: the text of the live line; None where there is no terminal.
    """

    def __init__(self, name_width: int, live: bool, progress: Callable[[], str]) -> None:
        self._head = "kortana".ljust(name_width) + " | "
        self._live, self._progress = live, progress
        self._queue: queue.Queue[str | None] = queue.Queue(MAX_WAITING)
        self._lost = 0
        self._out = Outlet(1)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)
        self._thread.start()

    def watch(self, records: list[Record]) -> None:
        """Is told the durable records of whole turns. Whatever is wrong with a line is nothing that they should wait
        for."""
        try:
            for line in described(records):
                self.say(line)
        except Exception as error:
            self.say(f"what was decided cannot be shown: {error!r}")

    def say(self, line: str) -> None:
        line = legible(line)
        if len(line) > MAX_LINE:
            line = line[:MAX_LINE] + "..."
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Writes what waits, as far as somebody reads it, and ends."""
        self._closing = True
        with contextlib.suppress(queue.Full):  # then it is not this that the thread waits for
            self._queue.put_nowait(None)
        self._thread.join(5.0)

    def _run(self) -> None:
        """The live line is drawn anew at intervals: the workers' output, another process, writes over it."""
        clear = "\r\x1b[K" if self._live else ""
        drawn_at = 0.0
        while True:
            try:
                line = self._queue.get(timeout=LIVE_INTERVAL_S if self._live else None)
            except queue.Empty:
                line = ""
            if line is None or (self._closing and self._queue.empty()):
                self._write(clear)
                return
            text = f"{clear}{self._head}{line}\n" if line else clear
            if self._lost:
                text += f"{self._head}{self._lost} lines not shown: they came too fast\n"
                self._lost = 0
            if self._live and (self._queue.empty() or time.monotonic() - drawn_at > LIVE_INTERVAL_S):
                text += self._progress()[: shutil.get_terminal_size().columns - 1]
                drawn_at = time.monotonic()
            if not self._write(text):
                return

    def _write(self, text: str) -> bool:
        """False where it is time to end, and nobody reads."""
        rest = text.encode("utf-8", "replace")
        while rest := self._out.put(rest, PATIENCE_S):
            if self._closing:
                return False
        return True
