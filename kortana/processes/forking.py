"""multiprocessing's fork, without its pipes and without its waiting: the launcher reaps all children itself."""

import ctypes
import multiprocessing.context
import multiprocessing.popen_fork
import os
import signal
from pathlib import Path
from typing import Any

from kortana.processes import cgroup
from kortana.processes.child import Runner, become, heed_signals, refuse, rehearse, stand_by
from kortana.processes.orders import Orders
from kortana.processes.posix import signals_held

_SYS_CLONE3 = 435
_CLONE_INTO_CGROUP = 0x2_0000_0000
_CLONE_ARGS = ctypes.c_uint64 * 11
_python = ctypes.PyDLL(None)


def fork_into(group: Path | None, only_execs: bool = False) -> tuple[int, bool]:
    """`os.fork`, and the child is born in a cgroup: no process is moved, which costs a kernel grace period (10 ms).

    only_execs: the child becomes another program, and so needs nothing of what the interpreter and `threading` set up
    anew after a fork (half of what it would do, 0.5 ms).
    Gives what `os.fork` does, and whether the child is in the group: where the kernel or a sandbox has no such call, it
    is not. For a process with one thread only.
    Source: clone3(2), CLONE_INTO_CGROUP; the interpreter's own fork is done by PyOS_BeforeFork and AfterFork.
    """
    pid = -1
    if group is not None:
        folder = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        arguments = _CLONE_ARGS(_CLONE_INTO_CGROUP, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, folder)
        if only_execs:
            pid = _clone(arguments)
        else:
            _python.PyOS_BeforeFork()
            pid = _clone(arguments)
            (_python.PyOS_AfterFork_Child if pid == 0 else _python.PyOS_AfterFork_Parent)()
        os.close(folder)
    return (pid, True) if pid >= 0 else (os.fork(), group is None)


def _clone(arguments: ctypes.Array[ctypes.c_uint64]) -> int:
    return int(_python.syscall(_SYS_CLONE3, ctypes.byref(arguments), ctypes.c_size_t(ctypes.sizeof(arguments))))


def open_groups(run_id: str) -> cgroup.CgroupTree | None:
    """The cgroups of a run, once one of them has taken a process: it may be of a type that takes none, or beyond what
    this process's namespace, or its rights, let it reach."""
    groups = cgroup.CgroupTree.create(run_id)
    if groups is None:
        return None
    try:
        group = groups.add()
        if _takes_a_process(group):
            cgroup.remove(group)
            return groups
    except OSError:
        pass
    groups.destroy()
    return None


def _takes_a_process(group: Path) -> bool:
    pid, is_inside = fork_into(group, only_execs=True)
    if pid == 0:
        try:
            if not is_inside:
                cgroup.enter(group)
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


class _Popen(multiprocessing.popen_fork.Popen):
    """Never waits for a pid: the launcher's one `wait4` gets every exit, with its rusage."""

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        return self.returncode

    def _launch(self, process_obj: Any) -> None:
        self.pid, self.sentinel, code = -1, -1, 1
        try:
            with signals_held():  # until the child does not ignore any more what the launcher ignores
                self.pid, is_inside = fork_into(process_obj.group, process_obj.only_execs)
                if self.pid == 0:
                    heed_signals(process_obj.only_execs)
            if self.pid == 0:
                code = self._live(process_obj, is_inside)
        finally:
            if os.getpid() != process_obj.ends[0]:  # a child that came back from here would be a second launcher
                os._exit(code)

    def _live(self, process_obj: Any, is_inside: bool) -> int:
        """The child's life, and its exit code."""
        if not is_inside:
            try:
                cgroup.enter(process_obj.group)
            except OSError as error:
                _, _, _, status, *_ = process_obj.ends
                refuse(status, f"cannot enter its cgroup: {error.strerror}")
        if process_obj.is_spare:
            rehearse()
        process_obj.orders = stand_by(*process_obj.ends)
        code = 0
        if process_obj.orders is None:
            pass
        elif process_obj.orders.start.spec.argv is not None:
            process_obj.run()  # ends in exec: what Python workers need set up, 1 ms, is for nothing
        else:
            process_obj.name = process_obj.orders.start.spec.worker
            code = process_obj._bootstrap(parent_sentinel=None)
        return code


class WorkerProcess(multiprocessing.context.ForkProcess):
    """A worker as a multiprocessing process, in a cgroup where it has one; `reaped` tells it that it is gone.

    ends: the launcher's pid, and the child's ends of its pipes, as `stand_by` takes them. only_execs: it will be a
    command, no Python worker. is_spare: it will not have its orders at once.
    """

    orders: Orders | None = None

    def __init__(
        self, group: Path | None, ends: tuple[int, ...], runner: Runner, only_execs: bool, is_spare: bool
    ) -> None:
        super().__init__()
        self.is_spare = is_spare
        self.group, self.ends, self.only_execs, self._runner = group, ends, only_execs, runner

    def start(self) -> None:
        """As multiprocessing does it, less its look at every process there is, at each start: these are told."""
        self._popen = self._Popen(self)

    def run(self) -> None:
        assert self.orders is not None
        become(self.orders, self._runner)

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        return _Popen(process_obj)

    def reaped(self, returncode: int) -> None:
        self._popen.returncode = returncode
