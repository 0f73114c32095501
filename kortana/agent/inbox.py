"""An agent's mailbox on its own side: each event once, confirmed when it has been worked on."""

import threading
import time
from collections import OrderedDict

from kortana.agent.pace import NOTHING_NEW, sign_of_life_every_s
from kortana.protocol import event as ev
from kortana.protocol.event import Event
from kortana.transport.client import MAX_MAILBOX, Client
from kortana.transport.forks import watch_forks
from kortana.transport.mailbox import Mailbox
from kortana.transport.outgoing import make_event

SEEN_IDS = 10_000
MAX_AT_ONCE = 10_000
"""So much is taken without waiting: others may write faster than this reads."""


class Inbox:
    """What comes to one agent on one client. Any number of threads may ask."""

    def __init__(self, client: Client, agent: str) -> None:
        self._client, self._agent = client, agent
        self.after_fork()
        watch_forks(self)

    def after_fork(self) -> None:
        """The child hears for itself from now on."""
        self._lock = threading.Lock()
        self._handed_out: Event | None = None
        self._seen: OrderedDict[tuple[str, str], int] = OrderedDict()
        """Event, by its source and id → which one it was, counted in the order of arrival. Not by its id alone: ids
        that somebody makes by counting may be those of the coordinator."""
        self._count = 0
        self._kept = Mailbox(MAX_MAILBOX)
        self._behind: Event | None = None
        """The newest directive that was taken while older events were not received yet: its confirmation waits."""

    def receive(self, timeout_s: float | None, confirm: bool = True) -> Event | None:
        """The next event, or None when the time is over. confirm: the one before it counts as received now."""
        with self._lock:
            if confirm:
                self._confirm()
            if self._kept:
                self._handed_out = self._kept.take()
                return self._handed_out
        while (event := self._next(timeout_s)) is not None:
            with self._lock:
                if not self._is_repeat(event):
                    self._handed_out = event
                    return event
                self._send_confirm(event.id)
        return None

    def _next(self, timeout_s: float | None) -> Event | None:
        """What comes next. The main thread of a worker says that it lives while it waits: it is not hung. (Another
        thread would say so for a main thread that is.)"""
        every_s = sign_of_life_every_s() if threading.current_thread() is threading.main_thread() else None
        if every_s is None:
            return self._client.receive(timeout_s)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = every_s if deadline is None else deadline - time.monotonic()
            event = self._client.receive(min(max(left_s, 0.0), every_s))
            if event is not None or (left_s <= every_s and deadline is not None):
                return event
            self._send_confirm(NOTHING_NEW)

    def confirm(self) -> None:
        """What `receive` gave last counts as received from now on."""
        with self._lock:
            self._confirm()

    def take_all(self) -> list[Event]:
        """What is there, without waiting; it counts as received."""
        found: list[Event] = []
        while len(found) < MAX_AT_ONCE and (event := self.receive(0)) is not None:
            found.append(event)
        self.confirm()
        return found

    def take_directives(self) -> list[Event]:
        """The directives that are there, without waiting; other events stay for `receive`."""
        found: list[Event] = []
        done = ""
        for _ in range(MAX_AT_ONCE):
            event = self._client.receive(0)
            if event is None:
                break
            with self._lock:
                if self._is_repeat(event):
                    continue
                if event.event_type != ev.DIRECTIVE:
                    self._kept.put(event)
                    continue
                found.append(event)
                if self._kept or self._handed_out is not None:
                    self._behind = event
                else:
                    done = event.id
        if done:
            self._send_confirm(done)
        return found

    def waiting(self) -> int:
        """How much has come and was not received."""
        return self._client.waiting() + len(self._kept)

    def _confirm(self) -> None:
        """What was handed out last, and what was taken meanwhile: with an event all before it are confirmed."""
        if self._handed_out is None:
            return
        done, self._handed_out = self._handed_out, None
        if not self._kept and self._behind is not None:
            done = max(done, self._behind, key=lambda event: self._seen.get(_key(event), 0))
        self._send_confirm(done.id)

    def _send_confirm(self, event_id: str) -> None:
        payload = {"ack_for_event_id": event_id}
        try:
            self._client.post(make_event(self._agent, ev.ACK, payload=payload, requires_ack=False))
        except OSError:
            pass  # it will be delivered, and confirmed, again

    def _is_repeat(self, event: Event) -> bool:
        if _key(event) in self._seen:
            return True
        self._count += 1
        self._seen[_key(event)] = self._count
        if len(self._seen) > SEEN_IDS:
            self._seen.popitem(last=False)
        return False


def _key(event: Event) -> tuple[str, str]:
    return event.source, event.id
