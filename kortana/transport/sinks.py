"""Connections without a socket: what is sent on one goes to a function."""

from collections.abc import Callable, Iterable, Sequence

Sink = Callable[[bytes], None]


class Sinks:
    """By numbers below 0, which no connection has. The hub's lock is held."""

    def __init__(self) -> None:
        self._by_number: dict[int, Sink] = {}
        self._of_agent: dict[str, list[int]] = {}

    def add(self, agent: str, sink: Sink) -> int:
        """Gives its number; what is delivered to the agent goes there too."""
        number = -1 - len(self._by_number)
        self._by_number[number] = sink
        self._of_agent.setdefault(agent, []).append(number)
        return number

    def of(self, agent: str) -> Sequence[int]:
        return self._of_agent.get(agent, ())

    def give(self, number: int, bodies: Iterable[bytes]) -> None:
        """Where there is no such sink, nobody wants to know."""
        sink = self._by_number.get(number)
        if sink is not None:
            for body in bodies:
                sink(body)
