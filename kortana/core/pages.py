"""The tasks as encoded pages, so that a snapshot costs what has changed, and can be taken in small steps."""

import itertools
from collections.abc import Iterator

import msgspec

from kortana.core.task import Task
from kortana.protocol.codec import encode_json

PAGE_TASKS = 256


class TaskPages:
    """Pages of up to 256 tasks in order of their creation, each with its JSON text of the last round, a task a line.

    A round gives the tasks as they all stood at its beginning: `begin` notes which pages are stale, `step`
    encodes some of them, and a task that is about to change before its page's turn is encoded first (copy on
    write). Until the first `begin` nothing is tracked, so that a replay does no work for it.
    """

    def __init__(self, tasks: dict[str, Task], page_tasks: int = PAGE_TASKS) -> None:
        self._tasks = tasks
        self._page_tasks = page_tasks
        self._pages: list[dict[str, None]] = []
        self._page_of: dict[str, int] | None = None
        self._texts: list[bytes] = []
        self._dirty: set[int] = set()
        self._round: dict[int, None] = {}
        self._kept: dict[str, msgspec.Raw] = {}
        """Tasks that have changed since the round began, as they were, until their pages are encoded."""

    def touch(self, name: str) -> None:
        """Must be called before a task changes."""
        if self._page_of is None:
            return
        page = self._page_of[name]
        if page in self._round and name not in self._kept:
            self._kept[name] = msgspec.Raw(encode_json(self._tasks[name]))
        self._dirty.add(page)

    def add(self, name: str) -> None:
        """Must be called before a task is added."""
        if self._page_of is None:
            return
        if not self._pages or len(self._pages[-1]) >= self._page_tasks:
            self._pages.append({})
            self._texts.append(b"")
        page = len(self._pages) - 1
        self._touch_page(page)
        self._pages[page][name] = None
        self._page_of[name] = page

    def remove(self, name: str) -> None:
        """Must be called before a task is removed."""
        if self._page_of is not None:
            page = self._page_of.pop(name)
            self._touch_page(page)
            del self._pages[page][name]

    def names(self, start: int) -> Iterator[tuple[int, str]]:
        """Tasks in order of their creation from a place on, each with its place; to be used up before the next change.

        A place stays what it is while tasks come, and moves a little within its page where one before it goes.
        """
        self._divide()
        page, offset = divmod(start, self._page_tasks)
        while page < len(self._pages):
            first = page * self._page_tasks
            for name in itertools.islice(self._pages[page], offset, None):
                yield first + offset, name
                offset += 1
            page, offset = page + 1, 0

    def _divide(self) -> None:
        if self._page_of is None:
            self._page_of = {}
            for name in self._tasks:
                self.add(name)

    def begin(self) -> int:
        """Begins a round; gives the number of stale pages. The round before must have ended."""
        self._divide()
        self._round = dict.fromkeys(sorted(self._dirty))
        self._dirty = set()
        return len(self._round)

    def step(self, pages: int) -> bool:
        """Encodes up to so many stale pages; True when the round is complete."""
        for page in list(self._round)[:pages] if len(self._round) <= pages else self._first(pages):
            self._encode(page)
        return not self._round

    def texts(self) -> list[bytes]:
        """The pages of a complete round: each `"id":{...},"id":{...}`, some empty."""
        return list(self._texts)

    def _first(self, count: int) -> list[int]:
        keys: Iterator[int] = iter(self._round)
        return [next(keys) for _ in range(count)]

    def _touch_page(self, page: int) -> None:
        if page in self._round:
            self._encode(page)
        self._dirty.add(page)

    def _encode(self, page: int) -> None:
        del self._round[page]
        tasks, kept, names = self._tasks, self._kept, self._pages[page]
        entries = [encode_json({name: kept.pop(name, None) or tasks[name]})[1:-1] for name in names]
        self._texts[page] = b",\n".join(entries)
