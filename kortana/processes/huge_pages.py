"""Huge pages for a large state: who follows references through hundreds of MiB waits for the tables of small ones.

Measured here: with 1,000,000 tasks a tenth more cycles a second; with a small state no difference.
"""

import ctypes
import errno
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HUGE_BYTES = 2 << 20
LEAST_BYTES = 64 << 20
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MADV_HUGEPAGE, _MADV_COLLAPSE = 14, 25
"""Source: madvise(2); the second one since Linux 6.1: before, the kernel's own thread takes its time."""
_libc = ctypes.CDLL(None, use_errno=True)


def begin_to_use(log: Callable[..., None]) -> None:
    """As `use_huge_pages`, in a thread of its own, which tells the log what was done."""

    def move() -> None:
        began = time.monotonic()
        moved = use_huge_pages()
        if moved:
            log("huge_pages", bytes=moved, seconds=round(time.monotonic() - began, 3))

    threading.Thread(target=move, name="huge-pages", daemon=True).start()


def use_huge_pages(least_bytes: int = LEAST_BYTES) -> int:
    """Puts this process's own memory into huge pages where there is much of it and the system allows it; gives the
    bytes. It takes seconds for each GiB, and other threads go on meanwhile."""
    if sys.platform != "linux" or not _is_allowed():
        return 0
    ranges = list(_whole_pages())
    if sum(end - begin for begin, end in ranges) < least_bytes:
        return 0
    done = 0
    for begin, end in ranges:
        _advise(begin, end - begin, _MADV_HUGEPAGE)
        for at in range(begin, end, HUGE_BYTES):
            failed = _advise(at, HUGE_BYTES, _MADV_COLLAPSE)
            if failed == errno.EINVAL:
                break  # a kernel before 6.1, or memory of another kind, such as a ring that is shared with it
            done += 0 if failed else HUGE_BYTES
    return done


def _is_allowed() -> bool:
    try:
        return "[never]" not in _SETTING.read_text()
    except OSError:
        return False


def _whole_pages() -> Iterator[tuple[int, int]]:
    """The memory that belongs to no file, as far as it fills huge pages."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if fields[1] == "rw-p" and (len(fields) == 5 or fields[5] == "[heap]"):
            begin, end = (int(text, 16) for text in fields[0].split("-"))
            begin, end = -(-begin // HUGE_BYTES) * HUGE_BYTES, end // HUGE_BYTES * HUGE_BYTES
            if begin < end:
                yield begin, end


def _advise(begin: int, length: int, advice: int) -> int:
    """0, or why not. The interpreter's lock is let go meanwhile."""
    if _libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), advice) == 0:
        return 0
    return ctypes.get_errno()
