"""Telling others later: a woken thread takes the interpreter's lock from whoever woke it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Tell = Callable[[Any], None]


class Teller:
    """Passes messages on, at once or at the end of a `quietly` block."""

    def __init__(self) -> None:
        self._unsaid: list[tuple[Tell, Any]] | None = None

    def __call__(self, tell: Tell, message: Any) -> None:
        if self._unsaid is not None:
            self._unsaid.append((tell, message))
        else:
            tell(message)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """What is told in the block goes out after it, in its order, also where the block fails."""
        unsaid: list[tuple[Tell, Any]] = []
        self._unsaid = unsaid
        try:
            yield
        finally:
            self._unsaid = None
            for tell, message in unsaid:
                tell(message)
