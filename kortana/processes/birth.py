"""How a worker's process comes to be: forked ahead of time, it waits in a cgroup of its own for its orders.

A fork of this interpreter, its cgroup and its pipes take 3 ms; a worker that is to be started again does not wait
for them, because a spare one stands by.
"""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from kortana.ports import ProcessSpec
from kortana.processes import cgroup
from kortana.processes.child import Runner
from kortana.processes.forking import WorkerProcess
from kortana.processes.limits import LimitedGroup
from kortana.processes.loop import Loop, Timer
from kortana.processes.messages import Start
from kortana.processes.orders import GO, ORDERS_END, Orders
from kortana.processes.tree import Mark

SPARE_AFTER_S = 0.02


class Newborn:
    """A process that waits for its orders, and the launcher's ends of its pipes."""

    def __init__(self, group: Path | None, runner: Runner, only_execs: bool, is_spare: bool) -> None:
        """Forks. only_execs: for a command. Raises OSError."""
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
            self.process = WorkerProcess(group, (os.getpid(), *theirs), runner, only_execs, is_spare)
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
        """Makes it the worker, at once or when it is released. Raises OSError where it is gone.

        folders: cgroups with limits that it enters before anything else. name: by which its forks are found where
        it has no cgroup of its own.
        """
        orders = Orders(start, [str(folder) for folder in folders], name)
        data = msgspec.json.encode(orders) + (ORDERS_END if start.held else ORDERS_END + GO)
        try:
            while data:
                data = data[os.write(self._orders, data) :]
        except OSError:
            self.dismiss()
            raise
        if not start.held:
            self.dismiss()

    @property
    def waits(self) -> bool:
        """For its orders, or for the word to begin."""
        return self._orders >= 0

    def release(self) -> None:
        """It may begin, where it has not. One that is gone already will be reaped."""
        if not self.waits:
            return
        try:
            os.write(self._orders, GO)
        except OSError:
            pass
        self.dismiss()

    def dismiss(self) -> None:
        """Nothing more is said to it: it ends by itself, where it has not been released."""
        self._close([self._orders])
        self._orders = -1

    def discard(self) -> None:
        """It is not needed, or gone already: without orders it ends by itself."""
        self.dismiss()
        self._close([self.stdout, self.stderr, self.status, self.crash])

    @staticmethod
    def _close(fds: list[int]) -> None:
        for fd in fds:
            if fd >= 0:
                os.close(fd)


class Nursery:
    """Keeps one spare, and forks on the spot where there is none."""

    def __init__(
        self, groups: cgroup.CgroupTree | None, runner: Runner, loop: Loop, run_id: str,
        mark: Callable[[ProcessSpec], Mark],
    ) -> None:  # fmt: skip
        """mark: by what the processes of an incarnation are known where it has no cgroup of its own."""
        self._groups, self._runner, self._loop, self._run_id = groups, runner, loop, run_id
        self._mark = mark
        self._spare: Newborn | None = None
        self._timer: Timer | None = None
        self._leaving: dict[int, Newborn] = {}
        self._starting = 0
        """Processes that have been handed out, and whose own program does not run yet."""

    @property
    def has_spare(self) -> bool:
        return self._spare is not None

    def send(self, start: Start) -> tuple[Newborn, LimitedGroup]:
        """A process that has taken its orders, and its limits: the spare, or a new one where that is gone. Raises
        OSError."""
        try:
            return self._send(start)
        except BrokenPipeError:
            return self._send(start)

    def _send(self, start: Start) -> tuple[Newborn, LimitedGroup]:
        spec, limits = start.spec, None
        newborn = self._bear(only_execs=spec.argv is not None)
        name = f"kortana-{self._run_id}-{spec.worker}-{newborn.pid}"
        try:
            limits = LimitedGroup(newborn.group, name, spec.memory_bytes, spec.pids)
            newborn.order(start, limits.folders, self._mark(spec).name if newborn.group is None else None)
        except OSError:
            if limits is not None:
                limits.remove()
            self._reject(newborn)
            raise
        return newborn, limits

    def _bear(self, only_execs: bool) -> Newborn:
        """The spare, or a new one. only_execs: for a command. Raises OSError."""
        spare, self._spare = self._spare, None
        newborn = spare or self._fork(only_execs, is_spare=False)
        self._starting += 1
        return newborn

    def has_begun(self) -> None:
        """A worker has started: there may be a spare again, once that one has had the processors for a moment."""
        self._starting -= 1
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.later(SPARE_AFTER_S, self._replenish)

    def _replenish(self) -> None:
        """Forks the spare that is due. Where there is no room for one, there is none; while others start, it waits."""
        if self._starting or self._spare is not None:
            return
        try:
            self._spare = self._fork(only_execs=False, is_spare=True)
        except OSError:
            pass

    def is_gone(self, pid: int) -> None:
        """A process that is no worker has ended: perhaps the spare; another one comes after the next start."""
        if self._spare is not None and self._spare.pid == pid:
            self.close()
        newborn = self._leaving.pop(pid, None)
        if newborn is not None:
            newborn.process.reaped(0)
            if newborn.group is not None:
                cgroup.remove(newborn.group)

    def _reject(self, newborn: Newborn) -> None:
        """It did not take its orders."""
        self._starting -= 1
        self._leave(newborn)

    def _leave(self, newborn: Newborn) -> None:
        newborn.discard()
        self._leaving[newborn.pid] = newborn

    def close(self) -> None:
        """The spare ends."""
        if self._spare is not None:
            self._leave(self._spare)
            self._spare = None

    def _fork(self, only_execs: bool, is_spare: bool) -> Newborn:
        return Newborn(self._groups.add() if self._groups else None, self._runner, only_execs, is_spare)
