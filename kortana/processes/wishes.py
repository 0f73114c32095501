"""The signals by which a person, or the system, asks a process to end; and those that tell of children."""

import signal
from collections.abc import Callable
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heed_wishes(then: Callable[[int], Any]) -> None:
    """Each is told to `then`, but for a SIGHUP that is ignored already, as `nohup` has it. Main thread only."""
    for number in ENDING:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _frame: then(number))


def heed_children(then: Callable[[], Any]) -> None:
    """Whenever a child has ended. Main thread only."""
    signal.signal(signal.SIGCHLD, lambda *_: then())
