"""Connections without a socket: what is sent on one goes to a function."""

from collections.abc import Callable, Iterable, Sequence

Sink = Callable[[bytes], None]
"""Never raises."""


class Sinks:
    """By numbers below 0, which no connection has. The hub's lock is held."""

    def __init__(self) -> None:
        self._by_number: dict[int, Sink] = {}
        self._of_agent: dict[str, int] = {}
        self._numbers = 0

    def add(self, agent: str, sink: Sink) -> int:
        """Gives its number; what is delivered to the agent goes there too, and no more to the sink that it had."""
        self._numbers -= 1
        self._by_number.pop(self._of_agent.get(agent, 0), None)
        self._by_number[self._numbers] = sink
        self._of_agent[agent] = self._numbers
        return self._numbers

    def of(self, agent: str) -> Sequence[int]:
        number = self._of_agent.get(agent)
        return () if number is None else (number,)

    def give(self, number: int, bodies: Iterable[bytes]) -> None:
        """Where there is no such sink, nobody wants to know."""
        sink = self._by_number.get(number)
        if sink is not None:
            for body in bodies:
                sink(body)
