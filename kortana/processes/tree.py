"""Finding process trees in /proc by the marks that their environment carries, and ending them to a fixpoint.

Weaker than a cgroup: a process that cleans its environment and leaves its session escapes. Used where no
cgroup is writable, and for what an earlier run has left.
"""

import os
import signal
from collections.abc import Callable, Iterator

MAX_ROUNDS = 50


class ProcessInfo:
    __slots__ = ("pid", "ppid", "session", "state")

    def __init__(self, pid: int, ppid: int, session: int, state: str) -> None:
        self.pid, self.ppid, self.session, self.state = pid, ppid, session, state


def all_processes() -> dict[int, ProcessInfo]:
    """Every live process that /proc shows; zombies are not among them."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
        except OSError:
            continue
        state = fields[0].decode()
        if state not in "ZX":
            found[int(name)] = ProcessInfo(int(name), int(fields[1]), int(fields[3]), state)
    return found


def has_mark(pid: int, mark: bytes) -> bool:
    """Whether a process was started with `NAME=value` in its environment."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False


def tree_of(processes: dict[int, ProcessInfo], is_root: Callable[[ProcessInfo], bool]) -> Iterator[int]:
    """The processes for which `is_root` holds, and all that descends from them."""
    children: dict[int, list[int]] = {}
    for info in processes.values():
        children.setdefault(info.ppid, []).append(info.pid)
    todo = [info.pid for info in processes.values() if is_root(info)]
    seen = set()
    while todo:
        pid = todo.pop()
        if pid not in seen:
            seen.add(pid)
            yield pid
            todo += children.get(pid, ())


def kill_marked(marks: list[bytes], sessions: frozenset[int] = frozenset(), but: frozenset[int] = frozenset()) -> int:
    """Kills every process that carries all marks or belongs to a session, and what descends from it, until none
    is found. Gives the number of processes killed.

    New ones may be forked while the old are being killed, so it looks again until nothing is left.
    """
    killed = 0
    for _ in range(MAX_ROUNDS):
        processes = all_processes()

        def is_root(info: ProcessInfo) -> bool:
            return info.session in sessions or all(has_mark(info.pid, mark) for mark in marks)

        victims = [pid for pid in tree_of(processes, is_root) if pid not in but]
        if not victims:
            return killed
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except OSError:
                pass
        reap_orphans()
    return killed


def reap_orphans() -> None:
    """Nothing to do for a caller that reaps by SIGCHLD; gives the killed a moment to go."""
    os.sched_yield()


def is_inside(pid: int, mark: bytes) -> bool:
    """Whether a process, or one it descends from, carries a mark. Bounded by the depth of the tree."""
    processes = all_processes()
    for _ in range(256):
        if pid <= 1 or pid not in processes:
            return False
        if has_mark(pid, mark):
            return True
        pid = processes[pid].ppid
    return False
