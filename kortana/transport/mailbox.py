"""What has come for an agent and was not received yet, on the agent's own side; bounded as the coordinator's mailboxes
are."""

from collections import deque

from kortana.protocol.event import INFO, Event


class Mailbox:
    """In the order of arrival. One that is full drops the oldest INFO, or the oldest of all where there is none: what
    comes next is confirmed with all before it, so nothing newer may be dropped in its place. Not thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._events: deque[Event] = deque()

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        if len(self._events) >= self._most:
            self._make_room()
        self._events.append(event)

    def take(self) -> Event:
        """The oldest. Raises IndexError where there is none."""
        return self._events.popleft()

    def _make_room(self) -> None:
        del self._events[next((at for at, event in enumerate(self._events) if event.event_type == INFO), 0)]
