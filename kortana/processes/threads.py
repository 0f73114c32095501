"""Threads and processes, of which the system may allow no more."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

NO_MORE = "the system allows no more threads or processes here (ulimit -u, or a container's limit of pids)"


@contextmanager
def starting_threads() -> Iterator[None]:
    """A thread that cannot be started is an OSError, as everything is that the system has no more of; Python has no
    type of its own for it."""
    try:
        yield
    except RuntimeError as error:
        if "start new thread" not in str(error):
            raise
        raise OSError(errno.EAGAIN, NO_MORE) from error


def why_no_process(error: OSError) -> str:
    """What a fork that failed is told as."""
    return NO_MORE if error.errno == errno.EAGAIN else error.strerror or str(error)
