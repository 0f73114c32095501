"""How many files a process may have open: a tree needs more than the usual 1024, and a worker gets what is usual.

Programs that wait by select(2) fail with numbers from 1024 on, so nobody gets a higher limit than he was started with.
"""

import resource

MOST = 1 << 16


def raise_own() -> tuple[int, int]:
    """Raises this process's limit as far as it may. Gives what it was, and what it is."""
    was, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if was != resource.RLIM_INFINITY and was < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return was, allowed


def limit_worker(limit: int | None, usual: int | None) -> None:
    """Of the calling process, before it is the worker: a limit of its own, or the usual one. Raises OSError."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit is not None:
        wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    elif usual is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (usual, hard))
