"""What a fork takes along, and must not go on with in the child: a connection belongs to one process."""

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    def after_fork(self) -> None:
        """Begins anew, in the child; locks may be held by threads that are not there."""


_watched: WeakSet[Forked] = WeakSet()


def watch_forks(made: Forked) -> None:
    """`made.after_fork` is called in each child that is forked from now on, for as long as `made` lives."""
    _watched.add(made)


def _tell() -> None:
    for made in list(_watched):
        made.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_tell)
