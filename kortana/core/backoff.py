"""How long to wait before a restart: exponential, capped, jittered by a number that the caller draws."""

from typing import Protocol


class Backoff(Protocol):
    """Delays in seconds; `jitter` is the fraction by which a delay may be longer or shorter."""

    @property
    def initial(self) -> float: ...
    @property
    def factor(self) -> float: ...
    @property
    def max(self) -> float: ...
    @property
    def jitter(self) -> float: ...


def delay_s(backoff: Backoff, nth: int, draw: float) -> float:
    """Seconds before the nth restart in a row (from 1). `draw`: -1 to 1, where in the jitter's range it lands."""
    exponent = min(nth - 1, 64)
    plain = min(backoff.initial * backoff.factor**exponent, backoff.max)
    return plain * (1 + backoff.jitter * draw)
