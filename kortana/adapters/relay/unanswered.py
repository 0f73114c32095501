"""What was submitted out of the legacy files and not answered yet, past which no file's position may move; and what was
answered."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from kortana.adapters.relay.tail import TailedFile
from kortana.protocol.event import Event

MAX_ANSWERED = 20_000
"""So many answers to one agent are remembered."""


class Asked(NamedTuple):
    """One event. is_told: its answer is written for the agent; generation, offset: where its line begins."""

    event: Event
    body: bytes
    file: TailedFile
    generation: int
    offset: int
    is_told: bool


class Unanswered:
    """By source and id."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], Asked] = {}

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, asked: Asked) -> None:
        self._asked[(asked.event.source, asked.event.id)] = asked

    def get(self, agent: str, event_id: str) -> Asked | None:
        return self._asked.get((agent, event_id))

    def discard(self, agent: str, event_id: str) -> None:
        self._asked.pop((agent, event_id), None)

    def of(self, agent: str) -> Iterator[Asked]:
        return (asked for asked in self._asked.values() if asked.event.source == agent)

    def keep(self, agent: str, most: int) -> None:
        """Of an agent that cannot be answered only the first ones are waited for."""
        for key in [key for key in self._asked if key[0] == agent][most:]:
            del self._asked[key]

    def has_any_of(self, file: TailedFile) -> bool:
        return any(asked.file is file for asked in self._asked.values())

    def firsts(self) -> dict[TailedFile, int]:
        """The first offset in each file, as it is now, whose line waits for an answer."""
        found: dict[TailedFile, int] = {}
        for asked in self._asked.values():
            if asked.generation == asked.file.position.generation:
                found[asked.file] = min(asked.offset, found.get(asked.file, asked.offset))
        return found


class Answered:
    """The ids of what one agent has got an answer to, the last of them. told: the end of the file with the answers of a
    former run, which may have died before it saved how far it had read."""

    def __init__(self, told: bytes) -> None:
        self._ids: dict[str, None] = {}
        self._former: set[str] = set()
        for line in told.split(b"\n"):
            if b'"ACK"' in line:
                try:
                    self._former.add(str(msgspec.json.decode(line)["payload"]["ack_for_event_id"]))
                except (msgspec.MsgspecError, KeyError, TypeError, RecursionError):
                    continue

    def by_former(self, event_id: str) -> bool:
        """Whether a former run has answered it."""
        return event_id in self._former

    def forget_former(self) -> None:
        """All that it had read is read anew: from here on an id that comes again is asked again."""
        self._former.clear()

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._ids or event_id in self._former

    def add(self, event_id: str) -> None:
        self._ids[event_id] = None
        if len(self._ids) > MAX_ANSWERED:
            del self._ids[next(iter(self._ids))]
