"""A heap of deadlines with cheap moves: what falls due next, in O(log n) for each change."""

from heapq import heappop, heappush
from typing import Generic, TypeVar

K = TypeVar("K")


class Deadlines(Generic[K]):
    """At most one deadline a key, in seconds of the caller's monotonic clock.

    A moved or cleared deadline leaves its old heap entry behind, which is dropped when it surfaces; the heap
    is rebuilt when most of it is such leftovers.
    """

    def __init__(self) -> None:
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def set(self, key: K, due: float) -> None:
        """Sets or moves the deadline of `key`. A later deadline costs nothing until the old one surfaces."""
        old = self._due.get(key)
        self._due[key] = due
        if old is None or due < old:
            self._push(due, key)

    def clear(self, key: K) -> None:
        self._due.pop(key, None)

    def next_due(self) -> float | None:
        """The earliest deadline, or None."""
        heap = self._heap
        while heap:
            due, _, key = heap[0]
            actual = self._due.get(key)
            if actual == due:
                return due
            heappop(heap)
            if actual is not None and actual > due:
                self._push(actual, key)
        return None

    def pop_due(self, now: float) -> list[K]:
        """Takes out every key whose deadline is at or before `now`, earliest first."""
        found = []
        while (due := self.next_due()) is not None and due <= now:
            key = heappop(self._heap)[2]
            del self._due[key]
            found.append(key)
        return found

    def _push(self, due: float, key: K) -> None:
        self._count += 1
        heappush(self._heap, (due, self._count, key))
        if len(self._heap) > 64 + 4 * len(self._due):
            self._heap = sorted((due, index, key) for index, (key, due) in enumerate(self._due.items()))
            self._count = len(self._heap)


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two moments, either of which may be none."""
    if one is None or other is None:
        return other if one is None else one
    return one if one < other else other
