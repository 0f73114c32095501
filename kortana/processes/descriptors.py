"""Waiting for one file, whatever its number: `select` takes none beyond 1,023, and there are trees with more open."""

import math
import select


def wait_readable(fd: int, timeout_s: float | None) -> bool:
    """Whether it could be read, or has come to its end, within so long; None: however long it takes."""
    return _wait(fd, select.POLLIN, timeout_s)


def wait_writable(fd: int, timeout_s: float | None) -> bool:
    """Whether it could be written to, or nobody reads it any more, within so long."""
    return _wait(fd, select.POLLOUT, timeout_s)


def _wait(fd: int, event: int, timeout_s: float | None) -> bool:
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(None if timeout_s is None else math.ceil(max(timeout_s, 0.0) * 1000)))
