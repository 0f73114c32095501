"""Mailboxes that also wait for something else: for sockets, or for the next deadline. pykka's loop stays as it is."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from pykka import ActorDeadError
from pykka._envelope import Envelope

from kortana.actors.messages import DeadlineDue, HearAll, InboundReady
from kortana.transport.hub import Hub


class Rider(Protocol):
    """An actor without a thread of its own."""

    @property
    def is_busy(self) -> bool:
        """What it rode for last goes on, and others wait for its end."""

    def ride(self) -> None:
        """Handles what it has been told."""

    def drive(self) -> None:
        """Handles what it is told from now on, until it is stopped."""


class HubInbox:
    """An actor's inbox and the hub in one wait: `get` gives a told message, or a batch of what came in.

    Saves the thread, and the hop, between the selector and the actor that decides on what it reads. The same
    thread that polls the hub runs the actor, and, before it reads on, the rider: what has been decided is durable and
    answered before anything else is looked at, and what comes in meanwhile is the next batch.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._told: deque[Envelope[Any]] = deque()
        self._rider: Rider | None = None
        self.listening = False
        """Whether the hub is read: not before the actor has begun."""
        self.deadline: float | None = None
        """When `get` gives DeadlineDue, monotonic."""
        self._was_told = False
        self._askers: deque[tuple[float, HearAll]] = deque()

    @property
    def looked_at(self) -> float:
        """Whatever had come in before this moment has been handed to the actor."""
        return self._hub.looked_at

    def put(self, envelope: Envelope[Any]) -> None:
        self._told.append(envelope)
        self._hub.wake()

    def empty(self) -> bool:
        return not self._told

    def when_all_is_heard(self, asked: HearAll) -> None:
        """Answers when the actor has handled whatever has come in until now."""
        self._askers.append((time.monotonic(), asked))

    def board(self, rider: Rider) -> Callable[[], None]:
        """Before the first `get`. Gives what to call when the rider has been told something."""
        self._rider = rider
        return self._hub.wake

    def leave(self) -> None:
        """The actor has ended: its thread is the rider's."""
        if self._rider is not None:
            self._rider.drive()

    def get(self) -> Envelope[Any]:
        while True:
            if self._rider is not None:
                self._rider.ride()
            if self._askers:
                self._answer_askers()
            if self._told and not (self._was_told and self._is_due()):
                self._was_told = True
                return self._told.popleft()
            self._was_told = False
            if not self.listening:
                self._hub.poll(None, read=False)
                continue
            inbound = self._hub.poll(self._patience(), brief=self._rider is not None and self._rider.is_busy)
            if inbound:
                return Envelope(InboundReady(inbound))
            if self.deadline is not None and self.looked_at >= self.deadline:
                self.deadline = None
                return Envelope(DeadlineDue())

    def _answer_askers(self) -> None:
        while self._askers and self._askers[0][0] <= self.looked_at:
            _, asked = self._askers.popleft()
            with suppress(ActorDeadError):
                asked.to.tell(asked.answer)

    def _is_due(self) -> bool:
        """What people tell must not keep the sockets from being read when a lease is about to end."""
        return self.listening and self.deadline is not None and time.monotonic() >= self.deadline

    def _patience(self) -> float | None:
        if self._told or self._askers:
            return 0.0
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)


class RiderInbox:
    """The mailbox of a rider. While it rides, `get` raises queue.Empty where nothing is there; afterwards it waits."""

    def __init__(self) -> None:
        self._told: deque[Envelope[Any]] = deque()
        self._more = threading.Event()
        self._rides = True
        self._held = False
        self.wake: Callable[[], None] = lambda: None
        self.driver = -1
        """The thread that it rides on: what that thread tells, it handles before it sleeps again."""

    def put(self, envelope: Envelope[Any]) -> None:
        self._told.append(envelope)
        if not self._rides:
            self._more.set()
        elif threading.get_ident() != self.driver:
            self.wake()

    def empty(self) -> bool:
        return not self._told

    def first(self) -> Envelope[Any] | None:
        """What `get` would give, or None."""
        return self._told[0] if self._told else None

    def __iter__(self) -> Iterator[Envelope[Any]]:
        return iter(tuple(self._told))

    def hold(self) -> None:
        """`get` gives nothing from now on, as if nothing were there."""
        self._held = True

    def release(self, envelope: Envelope[Any]) -> None:
        """`get` gives this first, and then what has gathered."""
        self._told.appendleft(envelope)
        self._held = False

    def get(self) -> Envelope[Any]:
        while self._held or not self._told:
            if self._rides:
                raise queue.Empty
            self._more.wait()
            self._more.clear()
        return self._told.popleft()

    def get_off(self) -> None:
        """From now on `get` waits."""
        self._rides = False


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
