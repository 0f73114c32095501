"""Takes the exits of orphans that were left to this process, and never those of children that somebody waits for."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_waited_for = 0


@contextmanager
def own_child() -> Iterator[None]:
    """While a child is started and waited for: `wait(-1)` would take its exit code, and Popen would call it 0."""
    global _waited_for
    with _lock:
        _waited_for += 1
    try:
        yield
    finally:
        with _lock:
            _waited_for -= 1
        reap_others()


def reap_others() -> None:
    """Reaps whatever has ended, unless somebody waits for a child just now: then that one does it afterwards."""
    with _lock:
        if _waited_for:
            return
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
