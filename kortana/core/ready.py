"""The tasks that can be claimed now, in order of priority, then age. Knows what a claimant must be able to do; which
reservation is in whose way, it is told."""

from collections.abc import Iterable
from heapq import heapify

from kortana.core.bundles import Bundle, Entry, Group, Places
from kortana.core.task import Task

Kind = tuple[tuple[str, ...], frozenset[str]]
"""(capabilities that it requires, what says what is to be done)"""
MATCHES_KEPT = 256
"""For so many different claimants the groups that suit them are known."""


class ReadyQueue:
    """Tasks that a live path reservation keeps back are parked under its pattern, and come back when it ends.

    Every task with paths is in a bundle with others that meet the same pattern, at first its own first one. Where the
    reservation that is in the way has this very pattern, they are all parked at once; any other parks the one task, in
    the bundle of that pattern. So of a thousand tasks that all change one file a claim looks at one, not at each.
    """

    def __init__(self) -> None:
        self._places: Places = {}
        self._groups: dict[Kind, Group] = {}
        self._room = 64
        """With more groups than these it is time to forget those that are empty."""
        self._suiting: dict[tuple[frozenset[str], frozenset[str]], list[Group]] = {}
        self._parked: dict[str, dict[Bundle, None]] = {}
        self.fresh: dict[str | Bundle, None] = {}
        """Tasks that became ready, and bundles that came back, since waiting claims were last served."""

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, task: str) -> bool:
        return task in self._places

    def add(self, task: Task) -> None:
        if task.id in self._places:
            return
        group = self._groups.get((task.requires, task.having()))
        if group is None:
            group = self._new_group(task.requires, task.having())
        bundle = group.bundle(task.paths[0]) if task.paths else group.plain
        entry = (-task.priority, task.created_seq, task.id)
        self._places[task.id] = (bundle, entry)
        bundle.put(entry)
        self.fresh[task.id] = None

    def _new_group(self, requires: tuple[str, ...], having: frozenset[str]) -> Group:
        if len(self._groups) >= self._room:
            self._groups = {kind: group for kind, group in self._groups.items() if not group.is_empty()}
            self._room = 64 + 2 * len(self._groups)
            self._suiting.clear()
        group = self._groups[requires, having] = Group(requires, having, self._places)
        for asked, groups in self._suiting.items():
            if group.suits(*asked):
                groups.append(group)
        return group

    def discard(self, task: str) -> None:
        found = self._places.pop(task, None)
        self.fresh.pop(task, None)
        if found is not None:
            found[0].take_out(found[1])

    def best(self, capabilities: frozenset[str], having: frozenset[str] = frozenset()) -> str | None:
        """The task that an agent with these capabilities should take next, or None.

        having: only one that has one of these. O(kinds of tasks that it can do).
        """
        groups = self._suiting.get((capabilities, having))
        if groups is None:
            groups = self._look_for(capabilities, having)
        best: Entry | None = None
        for group in groups:
            first = group.first()
            if first is not None and (best is None or first < best):
                best = first
        return None if best is None else best[2]

    def _look_for(self, capabilities: frozenset[str], having: frozenset[str]) -> list[Group]:
        if len(self._suiting) >= MATCHES_KEPT:
            self._suiting.clear()
        groups = [group for group in self._groups.values() if group.suits(capabilities, having)]
        self._suiting[capabilities, having] = groups
        return groups

    def pattern_of(self, task: str) -> str:
        """A pattern that the paths of a ready task meet, as many others may; empty where it has no paths."""
        return self._places[task][0].pattern

    def park(self, task: str, pattern: str) -> None:
        """Keeps a ready task back until the reservation of `pattern`, which its paths meet, ends."""
        bundle = self._places[task][0]
        if bundle.pattern != pattern:
            bundle = self._move(bundle.group.bundle(pattern), task)
        bundle.parked = True
        self._parked.setdefault(pattern, {})[bundle] = None

    def _move(self, to: Bundle, task: str) -> Bundle:
        bundle, entry = self._places[task]
        self._places[task] = (to, entry)
        bundle.take_out(entry)
        to.put(entry)
        return to

    def unpark(self, patterns: Iterable[str]) -> None:
        """Brings back what was parked under reservations that have ended."""
        for pattern in patterns:
            for bundle in self._parked.pop(pattern, ()):
                bundle.parked = False
                first = bundle.first()
                if first is None:
                    bundle.group.let_go(bundle)
                else:
                    bundle.group.offer(bundle, first)
                    self.fresh[bundle] = None

    def take_fresh(self, waited_for: Iterable[str]) -> list[tuple[Entry, bool, Bundle]]:
        """What is fresh, as a heap: each new task; of a bundle that is back its first one, which stands for the rest
        (True), and those that somebody waits for by their ids. Nothing is fresh afterwards."""
        fresh, places = self.fresh, self._places
        self.fresh = {}
        back = [item for item in fresh if isinstance(item, Bundle)]
        names = [item for item in fresh if isinstance(item, str)]
        if back:
            names += [name for name in waited_for if name not in fresh and name in places and places[name][0] in fresh]
        found = [(places[name][1], False, places[name][0]) for name in names]
        found += [(first, True, bundle) for bundle in back if (first := bundle.first()) is not None]
        heapify(found)
        return found
