"""The tasks that can be claimed now, in order of priority, then age. Knows capabilities, not paths."""

from heapq import heapify, heappop, heappush

from kortana.core.task import Task

Entry = tuple[int, int, str]
"""(minus priority, created_seq, task id)"""
Kind = tuple[tuple[str, ...], frozenset[str]]
"""(capabilities that it requires, what says what is to be done)"""


class ReadyQueue:
    """One heap for each kind of task; removal is lazy.

    A task that a live path reservation keeps back is parked under the task that holds the reservation, and
    comes back when that one lets go: so a claim never walks past the same obstacle twice.
    """

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Kind, Entry]] = {}
        self._heaps: dict[Kind, list[Entry]] = {}
        self._parked: dict[str, dict[str, None]] = {}
        self._parked_under: dict[str, str] = {}
        self.fresh: dict[str, None] = {}
        """Tasks that became ready, or came back, since waiting claims were last served."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, task: str) -> bool:
        return task in self._entries

    def add(self, task: Task) -> None:
        if task.id in self._entries:
            return
        kind, entry = (task.requires, task.having()), (-task.priority, task.created_seq, task.id)
        self._entries[task.id] = (kind, entry)
        heappush(self._heaps.setdefault(kind, []), entry)
        self.fresh[task.id] = None

    def discard(self, task: str) -> None:
        found = self._entries.pop(task, None)
        self.fresh.pop(task, None)
        if found is None:
            return
        holder = self._parked_under.pop(task, None)
        if holder is not None:
            self._parked[holder].pop(task, None)
        heap = self._heaps[found[0]]
        if not heap:
            return
        if heap[0] is found[1]:
            heappop(heap)
        elif len(heap) > 64 + 4 * len(self._entries):
            self._heaps[found[0]] = [e for e in heap if self._is_live(e)]
            heapify(self._heaps[found[0]])

    def best(self, capabilities: frozenset[str], having: frozenset[str] = frozenset()) -> str | None:
        """The task that an agent with these capabilities should take next, or None.

        having: only one that has one of these.
        """
        best: Entry | None = None
        for (requires, found), heap in self._heaps.items():
            while heap and not self._is_live(heap[0]):
                heappop(heap)
            if heap and (best is None or heap[0] < best) and capabilities.issuperset(requires):
                if having and having.isdisjoint(found):
                    continue
                best = heap[0]
        return None if best is None else best[2]

    def park(self, task: str, holder: str) -> None:
        """Keeps a ready task back until `holder` lets its paths go."""
        self._parked.setdefault(holder, {})[task] = None
        self._parked_under[task] = holder

    def unpark(self, holder: str) -> None:
        """Brings back what was parked under `holder`."""
        for task in self._parked.pop(holder, ()):
            if self._parked_under.pop(task, None) is not None:
                kind, entry = self._entries[task]
                heappush(self._heaps[kind], entry)
                self.fresh[task] = None

    def order(self, task: str) -> Entry:
        """The sort key of a ready task."""
        return self._entries[task][1]

    def _is_live(self, entry: Entry) -> bool:
        found = self._entries.get(entry[2])
        return found is not None and found[1] is entry and entry[2] not in self._parked_under
