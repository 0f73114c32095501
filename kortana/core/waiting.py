"""Claims that wait until they can be granted, in the order in which they came."""

from collections.abc import Callable, Iterator
from heapq import merge
from typing import TypeVar

import msgspec

from kortana.core.deadlines import Deadlines
from kortana.core.task import Task
from kortana.protocol.event import Event

K = TypeVar("K")


class Waiter(msgspec.Struct, frozen=True):
    """One waiting claim."""

    event: Event
    conn: int
    """The connection that will get the answer."""
    ttl_s: float | None
    order: int
    refusal: str
    """The reason to give when the wait is over."""
    tied: bool
    having: frozenset[str] = frozenset()
    """Of a claim without an id: only a task that has one of these."""

    def takes(self, task: Task) -> bool:
        """Whether this is what it waits for."""
        wanted = self.event.task_id
        return wanted == task.id or (wanted is None and (not self.having or not self.having.isdisjoint(task.having())))


def _take(index: dict[K, dict[str, None]], key: K, event_id: str) -> None:
    index[key].pop(event_id, None)
    if not index[key]:
        del index[key]


class Waiters:
    """The waiting claims of the live connections. No part of the canonical state: it dies with them."""

    def __init__(self) -> None:
        self.by_id: dict[str, Waiter] = {}
        self._by_task: dict[str | None, dict[str, None]] = {}
        self._by_agent: dict[str, dict[str, None]] = {}
        self._by_conn: dict[int, dict[str, None]] = {}
        self.deadlines: Deadlines[str] = Deadlines()
        """By event id, monotonic seconds."""
        self.when_over: Callable[[str], None] = lambda agent: None
        """Is told the agent, just before one of its claims waits no longer."""
        self.in_vain: dict[str, None] = {}
        """Tasks that are waited for by their ids and are over, or gone, since claims were last looked at."""
        self.with_room: dict[str, None] = {}
        """Agents that have a lease less, or may have one more, since their claims were last looked at."""

    def __len__(self) -> int:
        return len(self.by_id)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self.by_id

    def add(self, waiter: Waiter, due: float) -> None:
        event = waiter.event
        self.by_id[event.id] = waiter
        self._by_task.setdefault(event.task_id, {})[event.id] = None
        self._by_agent.setdefault(event.source, {})[event.id] = None
        self._by_conn.setdefault(waiter.conn, {})[event.id] = None
        self.deadlines.set(event.id, due)

    def pop(self, event_id: str) -> Waiter | None:
        waiter = self.by_id.get(event_id)
        if waiter is None:
            return None
        self.when_over(waiter.event.source)
        del self.by_id[event_id]
        _take(self._by_task, waiter.event.task_id, event_id)
        _take(self._by_agent, waiter.event.source, event_id)
        _take(self._by_conn, waiter.conn, event_id)
        self.deadlines.clear(event_id)
        return waiter

    def relieved(self, agent: str) -> None:
        """Must be called when an agent has a lease less."""
        if agent in self._by_agent:
            self.with_room[agent] = None

    def is_over(self, task: str) -> None:
        """Must be called when a task is over, or is no more."""
        if task in self._by_task:
            self.in_vain[task] = None

    def named(self, task: str) -> list[Waiter]:
        """Who waits for this task by its id."""
        return [self.by_id[i] for i in self._by_task.get(task, ())]

    def agents(self) -> list[str]:
        return list(self._by_agent)

    def tasks(self) -> list[str]:
        """The tasks that are waited for by their ids."""
        return [task for task in self._by_task if task is not None]

    def for_task(self, task: str) -> Iterator[Waiter]:
        """Who waits for this task by id, or for any task, in order of arrival; to be used up before the next change."""
        anything = (self.by_id[i] for i in self._by_task.get(None, ()))
        return merge(self.named(task), anything, key=lambda waiter: waiter.order)

    def of_agent(self, agent: str) -> list[Waiter]:
        return [self.by_id[i] for i in self._by_agent.get(agent, ())]

    def of_conn(self, conn: int) -> list[Waiter]:
        return [self.by_id[i] for i in self._by_conn.get(conn, ())]

    def is_waiting(self, agent: str) -> bool:
        return agent in self._by_agent

    def count(self, agent: str) -> int:
        return len(self._by_agent.get(agent, ()))
