"""Mailboxes that also wait for something else: for sockets, or for the next deadline. pykka's loop stays as it is."""

import queue
import threading
import time
from collections import deque
from typing import Any

from pykka._envelope import Envelope

from kortana.actors.messages import DeadlineDue, InboundReady
from kortana.transport.hub import Hub

BACKLOG_PAUSE_S = 1.0


class HubInbox:
    """An actor's inbox and the hub in one wait: `get` gives a told message, or a batch of what came in.

    Saves the thread, and the hop, between the selector and the actor that decides on what it reads. The same
    thread that polls the hub runs the actor. While the journal is `max_backlog` records behind, nothing is read.
    """

    def __init__(self, hub: Hub, max_backlog: int) -> None:
        self._hub = hub
        self._told: deque[Envelope[Any]] = deque()
        self._max_backlog = max_backlog
        self._lock = threading.Lock()
        self.listening = False
        """Whether the hub is read: not before the actor has begun."""
        self.backlog = 0
        """Records handed to persistence that are not durable yet."""
        self.deadline: float | None = None
        """When `get` gives DeadlineDue, monotonic."""
        self._was_told = False

    @property
    def looked_at(self) -> float:
        """Whatever had come in before this moment has been handed to the actor."""
        return self._hub.looked_at

    def put(self, envelope: Envelope[Any]) -> None:
        self._told.append(envelope)
        self._hub.wake()

    def empty(self) -> bool:
        return not self._told

    def settled(self, records: int) -> None:
        """So many records have become durable. Any thread."""
        with self._lock:
            was_full = self.backlog > self._max_backlog
            self.backlog -= records
        if was_full:
            self._hub.wake()

    def owe(self, records: int) -> None:
        with self._lock:
            self.backlog += records

    def get(self) -> Envelope[Any]:
        while True:
            if self._told and not (self._was_told and self._is_due()):
                self._was_told = True
                return self._told.popleft()
            self._was_told = False
            if not self.listening or self.backlog > self._max_backlog:
                self._hub.poll(BACKLOG_PAUSE_S, read=False)
                continue
            inbound = self._hub.poll(self._patience())
            if inbound:
                return Envelope(InboundReady(inbound))
            if self.deadline is not None and self.looked_at >= self.deadline:
                self.deadline = None
                return Envelope(DeadlineDue())

    def _is_due(self) -> bool:
        """What people tell must not keep the sockets from being read when a lease is about to end."""
        return self.listening and self.deadline is not None and time.monotonic() >= self.deadline

    def _patience(self) -> float | None:
        if self._told:
            return 0.0
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)


class DeadlineInbox:
    """A queue whose `get` also gives DeadlineDue when `deadline` has come."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Envelope[Any]] = queue.Queue()
        self.deadline: float | None = None

    def put(self, envelope: Envelope[Any]) -> None:
        self._queue.put(envelope)

    def empty(self) -> bool:
        return self._queue.empty()

    def get(self) -> Envelope[Any]:
        while True:
            left = None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)
            try:
                return self._queue.get(timeout=left)
            except queue.Empty:
                self.deadline = None
                return Envelope(DeadlineDue())
