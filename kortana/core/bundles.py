"""Ready tasks, in groups for which an agent must be able to do the same, and bundles that one reservation keeps back.

Heaps throughout, in which what has gone is dropped when it comes to the top: O(log n) for each change, amortized.
"""

from heapq import heapify, heappop, heappush, heapreplace
from itertools import count

Entry = tuple[int, int, str]
"""(minus priority, created_seq, task id)"""
Places = dict[str, tuple["Bundle", Entry]]
"""Ready task → where it is, and the entry by which it is there."""


class Bundle:
    """Ready tasks of one group whose paths all meet `pattern`; with an empty one, those that have no paths."""

    __slots__ = ("_heap", "group", "offered", "parked", "pattern", "size")

    def __init__(self, group: "Group", pattern: str) -> None:
        self.group = group
        self.pattern = pattern
        self.size = 0
        self.parked = False
        """A reservation of `pattern` was met: none of them can be claimed before it ends."""
        self.offered: Entry | None = None
        """By which it stands among its group's offers: its first entry, or an earlier one that has gone."""
        self._heap: list[Entry] = []

    def put(self, entry: Entry) -> None:
        """Its place must be noted already."""
        self.size += 1
        heappush(self._heap, entry)
        if self.pattern and self._heap[0] is entry:
            self.group.offer(self, entry)

    def take_out(self, entry: Entry) -> None:
        """Its place must have been noted elsewhere, or forgotten."""
        self.size -= 1
        heap = self._heap
        if heap and heap[0] is entry:
            heappop(heap)
        elif len(heap) > 64 + 4 * self.size:
            self._heap = [e for e in heap if self._has(e)]
            heapify(self._heap)
        self.group.let_go(self)

    def first(self) -> Entry | None:
        heap = self._heap
        while heap:
            if self._has(heap[0]):
                return heap[0]
            heappop(heap)
        return None

    def _has(self, entry: Entry) -> bool:
        place = self.group.places.get(entry[2])
        return place is not None and place[1] is entry and place[0] is self


class Group:
    """The ready tasks with the same requirements and the same kind of what is to be done."""

    __slots__ = ("_bundles", "_offers", "_order", "having", "places", "plain", "requires")

    def __init__(self, requires: tuple[str, ...], having: frozenset[str], places: Places) -> None:
        self.requires = requires
        self.having = having
        self.places = places
        self.plain = Bundle(self, "")
        self._bundles: dict[str, Bundle] = {}
        self._offers: list[tuple[Entry, int, Bundle]] = []
        self._order = count()

    def is_empty(self) -> bool:
        return not self.plain.size and not self._bundles

    def suits(self, capabilities: frozenset[str], having: frozenset[str]) -> bool:
        return capabilities.issuperset(self.requires) and (not having or not having.isdisjoint(self.having))

    def bundle(self, pattern: str) -> Bundle:
        """The one of that pattern."""
        found = self._bundles.get(pattern)
        if found is None:
            found = self._bundles[pattern] = Bundle(self, pattern)
        return found

    def let_go(self, bundle: Bundle) -> None:
        """Forgets a bundle that is empty. One that is parked stays until it comes back."""
        if not bundle.size and bundle.pattern and not bundle.parked:
            self._bundles.pop(bundle.pattern, None)
            bundle.offered = None

    def offer(self, bundle: Bundle, first: Entry) -> None:
        """Lets a bundle that is not parked be found by its first entry."""
        if bundle.parked or (bundle.offered is not None and bundle.offered <= first):
            return
        bundle.offered = first
        heappush(self._offers, (first, next(self._order), bundle))
        if len(self._offers) > 64 + 4 * len(self._bundles):
            self._offers = [offer for offer in self._offers if offer[0] is offer[2].offered]
            heapify(self._offers)

    def first(self) -> Entry | None:
        """The best task of all that are not parked."""
        plain = self.plain.first()
        offers = self._offers
        while offers:
            entry, _, bundle = offers[0]
            if entry is not bundle.offered:
                heappop(offers)
                continue
            now = None if bundle.parked else bundle.first()
            if now is entry:
                return entry if plain is None or entry < plain else plain
            bundle.offered = now
            if now is None:
                heappop(offers)
            else:
                heapreplace(offers, (now, next(self._order), bundle))
        return plain
