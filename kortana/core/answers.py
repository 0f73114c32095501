"""The answers that were given last, for whoever repeats an event."""

from collections.abc import Iterator

Answer = tuple[int, bytes]
"""(digest of the event, body of its ACK)"""


class Answers:
    """Event id → answer, in two generations: the newest `kept` answers at least, and twice as many at most.

    A whole generation is dropped at a time; one by one, oldest first, costs as much again as keeping them.
    """

    def __init__(self) -> None:
        self.old: dict[str, Answer] = {}
        self.young: dict[str, Answer] = {}

    def __len__(self) -> int:
        return len(self.old) + len(self.young)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self.young or event_id in self.old

    def get(self, event_id: str) -> Answer | None:
        return self.young.get(event_id) or self.old.get(event_id)

    def add(self, event_id: str, answer: Answer, kept: int) -> None:
        """The id must not be there yet."""
        if len(self.young) >= kept:
            self.old, self.young = self.young, {}
        self.young[event_id] = answer

    def items(self) -> Iterator[tuple[str, Answer]]:
        """Oldest first."""
        yield from self.old.items()
        yield from self.young.items()
