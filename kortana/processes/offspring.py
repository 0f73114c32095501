"""The end of a process with all that descends from it: brought about by its subreaper, or waited for."""

import contextlib
import os
import signal
import subprocess
import time

from kortana.processes.descriptors import wait_readable
from kortana.processes.sessions import end_session, kill_session
from kortana.processes.tree import all_processes, tree_of


def end_with_offspring(process: "subprocess.Popen[bytes]", grace_s: float) -> int:
    """Ends a process that leads a session, with everything that it has started: its group by SIGTERM and, after the
    grace, SIGKILL; whatever has left the group by SIGKILL. Gives its exit code.

    This process is the subreaper, so that a grandchild in a group of its own is found as a child of this one.
    """
    if process.poll() is None:
        end_session(process, grace_s)
    kill_session(process)
    me = os.getpid()
    for _ in range(50):
        found = [pid for pid in tree_of(all_processes(), lambda info: info.ppid == me) if pid != me]
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
        _reap_others(process.pid)
    return process.wait()


def wait_for_session(session: int, timeout_s: float) -> bool:
    """Waits until no process of a session is left; False where one still lives after so long."""
    deadline = time.monotonic() + timeout_s
    while pids := [info.pid for info in all_processes().values() if info.session == session]:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        try:
            fd = os.pidfd_open(pids[0])
        except ProcessLookupError:
            continue
        try:
            wait_readable(fd, left)
        finally:
            os.close(fd)
    return True


def _reap_others(but: int) -> None:
    """Takes the orphans that were left to this process."""
    for pid in _zombies(os.getpid()):
        if pid != but:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _zombies(parent: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                if fields[0] == b"Z" and int(fields[1]) == parent:
                    found.append(int(name))
    return found
