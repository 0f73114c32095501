"""Calls that Python has no name for: prctl, and process facts from /proc."""

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterable, Iterator

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NAME = 15
_SYS_CLOSE_RANGE = 436
MOST_PROCESSES = 1000
"""Of one worker that are looked at for their memory."""
_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def die_with_parent(parent_pid: int) -> None:
    """This process gets SIGKILL when the parent thread that forked it ends; at once where it has ended already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal.SIGKILL)


def become_subreaper() -> None:
    """Orphans among this process's descendants become its children."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def close_from(first: int) -> None:
    """Closes every file from this number on. Source: close_range(2), Linux 5.9; elsewhere one by one."""
    if _libc.syscall(_SYS_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(0xFFFF_FFFF), 0) != 0:
        highest = max((int(name) for name in os.listdir("/proc/self/fd")), default=first)
        os.closerange(first, highest + 1)


_SIGSET = ctypes.c_uint8 * 128
"""`sigset_t` of glibc and musl."""
_WISHES = _SIGSET()
for _number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
    _libc.sigaddset(_WISHES, _number)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Signals that ask for an end wait until the block is done, also for what this thread starts within it.

    Not by the interpreter's own call: that one makes enums of what it gives back, which a fork's child pays for.
    """
    before = _SIGSET()
    _libc.pthread_sigmask(signal.SIG_BLOCK, _WISHES, before)
    try:
        yield
    finally:
        _libc.pthread_sigmask(signal.SIG_SETMASK, before, None)


def reset_signals(numbers: Iterable[int]) -> None:
    """These do what they do by default; the interpreter is not told, which is quicker, in a process that execs."""
    for number in numbers:
        _libc.signal(number, signal.SIG_DFL)


def set_name(name: bytes) -> None:
    """The name of this process in /proc, at most 15 bytes; what it forks has it too, what it execs has not."""
    if _libc.prctl(_PR_SET_NAME, ctypes.c_char_p(name), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _stat_of(pid: int) -> list[bytes]:
    """What /proc tells of a process, from its state on. Raises OSError."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def start_ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; with its pid, its identity. None where it is gone."""
    try:
        return int(_stat_of(pid)[19])
    except (OSError, IndexError, ValueError):
        return None


def waits_for_disk(pid: int) -> bool:
    """Whether a process is in the kernel and cannot be interrupted, which is so while a disk answers."""
    try:
        return _stat_of(pid)[0] == b"D"
    except (OSError, IndexError):
        return False


def signal_name(number: int) -> str:
    """`SIGKILL` for 9."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def usage_of(pid: int) -> tuple[int, float, int] | None:
    """Resident bytes, CPU seconds and the number of open files of a process; None where it is gone."""
    try:
        fields = _stat_of(pid)
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, IndexError):
        return None
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE"), cpu_s, files


def rss_bytes(pid: int) -> int | None:
    """The resident memory of a process and of what descends from it; pages that they share are counted in each. None
    where it is gone. Where the kernel does not list children (CONFIG_PROC_CHILDREN), of the process alone."""
    total, todo, left = None, [pid], MOST_PROCESSES
    while todo and left:
        left -= 1
        found = todo.pop()
        try:
            with open(f"/proc/{found}/statm", "rb") as file:
                pages = int(file.read().split()[1])
        except (OSError, IndexError, ValueError):
            continue
        total = (total or 0) + pages * os.sysconf("SC_PAGE_SIZE")
        todo += _children_of(found)
    return total


def _children_of(pid: int) -> Iterator[int]:
    """Each is listed with the thread that has started it."""
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
