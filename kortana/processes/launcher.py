"""The launcher: a single-threaded process that owns every worker, and ends them all when its supervisor is gone.

It knows nothing of restarts, leases or readiness: it starts, captures, signals, reaps and reports.
"""

import faulthandler
import gc
import importlib
import os
import select
import sys
import time
from multiprocessing.connection import Connection

from kortana.ports import ProcessSpec
from kortana.processes import cgroup, evidence, messages, tree
from kortana.processes.birth import Newborn, Nursery
from kortana.processes.child import Runner
from kortana.processes.echo import Echo
from kortana.processes.incarnation import Child
from kortana.processes.limits import LimitedGroup, prepare_v2, remove_run
from kortana.processes.loop import Loop
from kortana.processes.outputs import Outputs
from kortana.processes.posix import become_subreaper, start_ticks
from kortana.processes.sampling import Sampler
from kortana.processes.threads import why_no_process

ORDERS_S = 0.005
"""So long orders are taken before everything else has its turn."""


class Launcher:
    """The loop of the launcher process: one epoll over the supervisor's pipe, SIGCHLD, and all output."""

    def __init__(self, control: Connection, options: messages.LauncherOptions, runner: Runner) -> None:
        self._control = control
        self._more = select.poll()
        self._more.register(control, select.POLLIN)
        self._options = options
        self._groups = cgroup.CgroupTree.create(options.run_id)
        if self._groups is not None:
            prepare_v2(self._groups.folder)
        self._loop = Loop()
        self._nursery = Nursery(self._groups, runner, self._loop)
        self._children: dict[tuple[str, int], Child] = {}
        self._by_pid: dict[int, Child] = {}
        self._sampler = Sampler(self._loop, self._children.values())
        self._untold: dict[tuple[str, int], messages.FromLauncher] = {}
        """How those ended that were held, and may still be released."""
        self._echo = Echo(options) if options.echo else None
        self._outputs = Outputs(self._loop, self._echo, self._tell)
        self._running = True

    def run(self) -> None:
        """Serves until the supervisor says Exit or its end of the pipe closes; then ends every tree."""
        become_subreaper()
        self._loop.watch_children(self._reap)
        self._loop.watch(self._control.fileno(), self._on_control)
        if self._echo is not None:
            self._echo.attach(self._loop)
        gc.collect()
        gc.freeze()
        while self._running:
            self._loop.turn()
        self._end_all()

    def _on_control(self) -> None:
        """Orders hold up output and exits, and are held up by them, for a moment only."""
        until = time.monotonic() + ORDERS_S
        try:
            while self._running:
                self._obey(messages.decode_to_launcher(self._control.recv_bytes(messages.MAX_MESSAGE)))
                if time.monotonic() > until or not self._more.poll(0):
                    return
        except (EOFError, OSError):
            self._running = False

    def _obey(self, message: messages.ToLauncher) -> None:
        match message:
            case messages.Start():
                self._start(message)
            case messages.Release(worker=worker, incarnation=incarnation):
                self._release((worker, incarnation))
            case messages.Discard(worker=worker, incarnation=incarnation):
                self._discard((worker, incarnation))
            case messages.Signal(worker=worker, incarnation=incarnation, number=number):
                self._signal((worker, incarnation), number)
            case messages.AskStacks(worker=worker, incarnation=incarnation):
                child = self._children.get((worker, incarnation))
                if child is not None and child.spec.argv is None:
                    child.signal(evidence.STACKS_SIGNAL, alone=True)
            case messages.KillTree(worker=worker, incarnation=incarnation):
                self._kill((worker, incarnation))
            case messages.Ping():
                self._tell(messages.Pong())
                self._sampler.is_awake()
            case messages.Exit():
                self._running = False

    def _tell(self, message: messages.FromLauncher) -> None:
        try:
            self._control.send_bytes(messages.encode(message))
        except OSError:
            self._running = False

    def _start(self, start: messages.Start) -> None:
        spec = start.spec
        self._discard((spec.worker, spec.incarnation))
        try:
            child = self._fork(start)
        except OSError as error:
            key = spec.worker, spec.incarnation
            self._conclude(key, start.held, messages.StartFailed(*key, why_no_process(error)))
            return
        self._children[child.key] = child
        self._by_pid[child.pid] = child
        self._sampler.expect()

    def _release(self, key: tuple[str, int]) -> None:
        """What has ended while it was held is told now."""
        child = self._children.get(key)
        if child is not None:
            child.held = False
            child.newborn.release()
        else:
            self._tell(self._untold.pop(key, messages.StartFailed(*key, "it was not held")))

    def _conclude(self, key: tuple[str, int], held: bool, message: messages.FromLauncher) -> None:
        """It has ended, or never begun."""
        if held:
            self._untold[key] = message
        else:
            self._tell(message)

    def _discard(self, key: tuple[str, int]) -> None:
        """An incarnation that nobody has heard of ends in silence."""
        self._untold.pop(key, None)
        child = self._children.get(key)
        if child is not None and child.held:
            del self._children[key]
            child.newborn.dismiss()

    def _fork(self, start: messages.Start) -> Child:
        spec = start.spec
        newborn, limits = self._order(start)
        child = Child(spec, newborn, self._outputs.capture(spec), limits, start.held)
        self._outputs.watch(child, newborn)
        child.status_fd = newborn.status
        self._loop.watch(newborn.status, lambda: self._on_start_status(child))
        return child

    def _order(self, start: messages.Start) -> tuple[Newborn, LimitedGroup]:
        """A process that has taken its orders: the spare, or a new one where that is gone. Raises OSError."""
        try:
            return self._order_next(start)
        except BrokenPipeError:
            return self._order_next(start)

    def _order_next(self, start: messages.Start) -> tuple[Newborn, LimitedGroup]:
        spec, limits = start.spec, None
        newborn = self._nursery.bear(only_execs=spec.argv is not None)
        name = f"kortana-{self._options.run_id}-{spec.worker}-{spec.incarnation}"
        try:
            limits = LimitedGroup(newborn.group, name, spec.memory_bytes, spec.pids)
            newborn.order(start, limits.folders, self._mark(spec).name if newborn.group is None else None)
        except OSError:
            if limits is not None:
                limits.remove()
            self._nursery.reject(newborn)
            raise
        return newborn, limits

    def _on_start_status(self, child: Child) -> None:
        """The status pipe ends when the worker's program has begun, and carries words where it could not."""
        child.start_error = os.read(child.status_fd, 4096).decode("utf-8", "replace")
        self._loop.unwatch(child.status_fd)
        child.status_fd = -1
        self._nursery.has_begun()
        if not child.start_error and not child.held:
            self._tell(messages.Started(*child.key, child.pid, start_ticks(child.pid)))

    def _signal(self, key: tuple[str, int], number: int) -> None:
        child = self._children.get(key)
        if child is not None:
            child.signal(number)

    def _kill(self, key: tuple[str, int]) -> None:
        child = self._children.get(key)
        if child is None:
            self._tell(messages.NotRunning(*key))
        elif child.group is not None:
            cgroup.kill_all(child.group)
        else:
            tree.kill_marked(self._mark(child.spec), frozenset({child.pid}))

    def _mark(self, spec: ProcessSpec) -> tree.Mark:
        return tree.Mark(self._options.run_id, spec.env.get("KORTANA_TOKEN"))

    def _reap(self) -> None:
        """Takes every exit there is: workers', and orphans' that were left to this subreaper."""
        while True:
            try:
                pid, status, rusage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._by_pid.pop(pid, None)
            if child is None:
                self._nursery.is_gone(pid)
            else:
                child.status, child.rusage = status, rusage
                child.process.reaped(os.waitstatus_to_exitcode(status))
                self._end_tree(child)

    def _end_tree(self, child: Child) -> None:
        """The worker's first process is gone: ends what it has left, then reports."""
        if child.status_fd >= 0:
            self._on_start_status(child)
        if child.group is None:
            child.swept = tree.kill_marked(self._mark(child.spec), frozenset({child.pid}))
            self._report(child)
        elif cgroup.is_populated(child.group):
            child.swept = cgroup.count(child.group)
            child.events_fd = os.open(child.group / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            self._loop.watch(child.events_fd, lambda: self._on_group_event(child), select.EPOLLPRI)
            cgroup.kill_all(child.group)
            self._on_group_event(child)
        else:
            self._report(child)

    def _on_group_event(self, child: Child) -> None:
        assert child.group is not None
        if child.events_fd >= 0 and not cgroup.is_populated(child.group):
            self._loop.unwatch(child.events_fd)
            child.events_fd = -1
            self._report(child)

    def _report(self, child: Child) -> None:
        self._outputs.drain(child)
        child.oom = child.limits.oom_kills()
        message: messages.FromLauncher = messages.Exited(*child.key, child.pid, child.exit())
        if child.start_error:
            message = messages.StartFailed(*child.key, child.start_error)
        if self._children.get(child.key) is child:  # or it was discarded
            del self._children[child.key]
            self._conclude(child.key, child.held, message)
        self._outputs.close(child)
        child.limits.remove()
        if child.group is not None:
            cgroup.remove(child.group)

    def _end_all(self) -> None:
        """Kills every tree; waits for none: what is left are zombies, reaped by whoever inherits them."""
        self._nursery.close()
        for key in [key for key, child in self._children.items() if child.held]:
            self._discard(key)
        for child in list(self._children.values()):
            self._kill(child.key)
        if self._groups is not None:
            for _ in range(200):
                self._reap()
                if not cgroup.is_populated(self._groups.folder):
                    break
                select.select([], [], [], 0.005)
            self._groups.destroy()
        self._reap()
        remove_run(self._options.run_id)
        if self._echo is not None:
            self._echo.finish()


def launcher_main(control: Connection, stacks: Connection, options: messages.LauncherOptions) -> None:
    """The entry of the launcher process. Loads what Python workers need first, so that they start warm.

    stacks: gets this process's own stacks when it is asked for them by a signal, even while it hangs.
    """
    os.setpgid(0, 0)
    faulthandler.register(evidence.STACKS_SIGNAL, stacks.fileno())
    module, _, name = options.runner.partition(":")
    runner = getattr(importlib.import_module(module), name)
    try:
        Launcher(control, options, runner).run()
    except KeyboardInterrupt:
        sys.exit(1)
