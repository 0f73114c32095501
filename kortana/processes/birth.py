"""How a worker's process comes to be: forked ahead of time, it waits in a cgroup of its own for its orders.

A fork of this interpreter, its cgroup and its pipes take 3 ms; a worker that is to be started again does not wait
for them, because a spare one stands by.
"""

import os
from pathlib import Path

import msgspec

from kortana.processes import cgroup
from kortana.processes.child import Runner
from kortana.processes.forking import WorkerProcess
from kortana.processes.messages import Start
from kortana.processes.orders import Orders


class Newborn:
    """A process that waits for its orders, and the launcher's ends of its pipes."""

    def __init__(self, group: Path | None, runner: Runner) -> None:
        """Forks. Raises OSError."""
        self.group = group
        ours, theirs = [], []
        self._orders = -1
        try:
            for _ in range(4):
                read_end, write_end = os.pipe()
                ours.append(read_end)
                theirs.append(write_end)
            orders, self._orders = os.pipe()
            theirs.append(orders)
            self.process = WorkerProcess(group, (os.getpid(), *theirs), runner)
            self.process.start()
        except OSError:
            self._close([*ours, self._orders])
            if group is not None:
                cgroup.remove(group)
            raise
        finally:
            self._close(theirs)
        self.pid: int = self.process.pid or 0
        self.stdout, self.stderr, self.status, self.crash = ours

    def order(self, start: Start, folders: list[Path], name: bytes | None) -> None:
        """Makes it the worker. Raises OSError where it is gone.

        folders: cgroups with limits that it enters before anything else. name: by which its forks are found where
        it has no cgroup of its own.
        """
        data = msgspec.json.encode(Orders(start, [str(folder) for folder in folders], name))
        try:
            while data:
                data = data[os.write(self._orders, data) :]
        finally:
            os.close(self._orders)
            self._orders = -1

    def discard(self) -> None:
        """It is not needed, or gone already: without orders it ends by itself."""
        self._close([self._orders, self.stdout, self.stderr, self.status, self.crash])
        self._orders = -1

    @staticmethod
    def _close(fds: list[int]) -> None:
        for fd in fds:
            if fd >= 0:
                os.close(fd)


class Nursery:
    """Keeps one spare, and forks on the spot where there is none."""

    def __init__(self, groups: cgroup.CgroupTree | None, runner: Runner) -> None:
        self._groups, self._runner = groups, runner
        self._spare: Newborn | None = None
        self._is_due = False
        self._leaving: dict[int, Newborn] = {}

    def bear(self) -> Newborn:
        """The spare, or a new one. Raises OSError."""
        spare, self._spare = self._spare, None
        return spare or self._fork()

    def was_used(self) -> None:
        """A worker has started: there may be a spare again, when there is time for it."""
        self._is_due = True

    def replenish(self) -> None:
        """Called when nothing else is to be done. Where there is no room for a spare, there is none."""
        if self._is_due and self._spare is None:
            try:
                self._spare = self._fork()
            except OSError:
                pass
        self._is_due = False

    def is_gone(self, pid: int) -> None:
        """A process that is no worker has ended: perhaps the spare; another one comes after the next start."""
        if self._spare is not None and self._spare.pid == pid:
            self.close()
        newborn = self._leaving.pop(pid, None)
        if newborn is not None:
            newborn.process.reaped(0)
            if newborn.group is not None:
                cgroup.remove(newborn.group)

    def reject(self, newborn: Newborn) -> None:
        """It did not take its orders."""
        newborn.discard()
        self._leaving[newborn.pid] = newborn

    def close(self) -> None:
        """The spare ends."""
        if self._spare is not None:
            self.reject(self._spare)
            self._spare = None

    def _fork(self) -> Newborn:
        return Newborn(self._groups.add() if self._groups else None, self._runner)
