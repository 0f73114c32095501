"""Finding process trees in /proc by the marks that their environment carries, and ending them to a fixpoint.

Weaker than a cgroup: a process that cleans its environment and leaves its session escapes. Used where no
cgroup is writable, and for what an earlier run has left.
"""

import os
import signal
from collections.abc import Callable, Iterator
from zlib import crc32

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


class Mark:
    """How processes of one run, or of one incarnation in it, are known: by their environment, their cgroup, and,
    where they were forked without an exec, by their name."""

    def __init__(self, run_id: str, token: str | None = None) -> None:
        self._run = f"KORTANA_RUN={run_id}".encode()
        self._token = f"KORTANA_TOKEN={token}".encode() if token else None
        self._cgroup = f"/kortana-{run_id}/".encode()
        prefix = b"k%05x-" % (crc32(run_id.encode()) & 0xFFFFF)
        self.name = prefix + (b"%08x" % crc32(token.encode()) if token else b"")
        """At most 15 bytes, as the kernel takes."""

    def is_on(self, pid: int) -> bool:
        """Whether the process carries the mark."""
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                found = file.read().split(b"\0")
            if self._run in found and (self._token is None or self._token in found):
                return True
            with open(f"/proc/{pid}/comm", "rb") as file:
                if file.read().startswith(self.name):
                    return True
            if self._token is not None:
                return False
            with open(f"/proc/{pid}/cgroup", "rb") as file:
                return self._cgroup in file.read()
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


def kill_marked(mark: Mark, sessions: frozenset[int] = frozenset(), but: frozenset[int] = frozenset()) -> int:
    """Kills every process that carries the mark or belongs to a session, and what descends from it, until none
    is found. Gives the number of processes killed.

    New ones may be forked while the old are being killed, so it looks again until nothing is left.
    """
    killed = 0
    for _ in range(MAX_ROUNDS):
        processes = all_processes()

        def is_root(info: ProcessInfo) -> bool:
            return info.session in sessions or mark.is_on(info.pid)

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


def is_inside(pid: int, mark: Mark) -> bool:
    """Whether a process, or one it descends from, carries a mark. Bounded by the depth of the tree."""
    processes = all_processes()
    for _ in range(256):
        if pid <= 1 or pid not in processes:
            return False
        if mark.is_on(pid):
            return True
        pid = processes[pid].ppid
    return False
