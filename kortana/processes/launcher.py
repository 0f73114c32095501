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
from functools import partial
from multiprocessing.connection import Connection

from kortana.processes import cgroup, evidence, messages
from kortana.processes.birth import Nursery
from kortana.processes.black_box import BlackBox
from kortana.processes.child import Runner
from kortana.processes.delegation import Delegation
from kortana.processes.echo import Echo
from kortana.processes.forking import open_groups
from kortana.processes.incarnation import Child
from kortana.processes.limits import remove_run
from kortana.processes.loop import Loop
from kortana.processes.outputs import Outputs
from kortana.processes.posix import become_subreaper, start_ticks
from kortana.processes.sampling import Sampler
from kortana.processes.succession import Succession
from kortana.processes.sweeping import Sweeper
from kortana.processes.threads import why_no_process
from kortana.processes.unheard import Unheard

ORDERS_S = 0.005
"""So long orders are taken before everything else has its turn."""


class Launcher:
    """The loop of the launcher process: one epoll over the supervisor's pipe, SIGCHLD, and all output."""

    def __init__(
        self, control: Connection, options: messages.LauncherOptions, runner: Runner, succession: Succession
    ) -> None:
        self._control = control
        self._more = select.poll()
        self._more.register(control, select.POLLIN)
        self._options, self._succession = options, succession
        self._groups = open_groups(options.run_id)
        if self._groups is not None:
            Delegation(self._groups.folder).take()
        self._loop = Loop()
        self._sweeper = Sweeper(self._loop, options.run_id)
        self._nursery = Nursery(self._groups, runner, self._loop, options.run_id, self._sweeper.mark)
        self._children: dict[messages.Key, Child] = {}
        self._by_pid: dict[int, Child] = {}
        self._sampler = Sampler(self._loop, self._children.values())
        self._unheard = Unheard(self._tell)
        self._ending: dict[str, Child] = {}
        """Worker → an incarnation of it that had begun and was discarded, until all of it is gone."""
        self._echo = Echo(options) if options.echo else None
        self._outputs = Outputs(self._loop, self._echo, self._tell_of)
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
        ending = self._ending.get(messages.worker_of(message))
        if ending is not None:
            ending.orders.append(message)
            return
        match message:
            case messages.Start():
                self._start(message, unheard=message.held)
                self._succession.settle(message.key)
            case messages.StartAfter():
                self._succession.appoint(message)
            case messages.Release(worker=worker, incarnation=incarnation):
                self._release((worker, incarnation))
                self._succession.settle((worker, incarnation))
            case messages.Discard(worker=worker, incarnation=incarnation):
                self._discard((worker, incarnation))
                self._succession.settle((worker, incarnation))
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

    def _tell_of(self, child: Child, message: messages.OfWorker) -> None:
        """Nothing of one that was discarded."""
        if self._children.get(child.key) is child:
            self._unheard.tell(message)

    def _start(self, start: messages.Start, unheard: bool) -> None:
        key = start.key
        self._discard(key)
        if unheard:
            self._unheard.keep(key)
        try:
            child = self._fork(start)
        except OSError as error:
            self._unheard.tell(messages.StartFailed(*key, why_no_process(error)))
            return
        self._children[key] = child
        self._by_pid[child.pid] = child
        self._sampler.expect()

    def _release(self, key: messages.Key) -> None:
        """What has happened to it already is told now."""
        self._begin(key)
        child = self._children.get(key)
        if child is not None:
            child.newborn.release()
        if not self._unheard.release(key):
            self._tell(messages.StartFailed(*key, "it was not held"))

    def _begin(self, key: messages.Key) -> None:
        """Who is appointed, unheard, where that has not been done yet."""
        appointed = self._succession.get(key)
        if appointed is not None:
            self._start(appointed.start, unheard=True)
            self._let_begin(appointed.start)

    def _discard(self, key: messages.Key) -> None:
        """An incarnation that nobody has heard of ends, and nothing more is told of it."""
        self._succession.forget(key)
        child = self._children.get(key)
        if self._unheard.drop(key) and child is not None:
            del self._children[key]
            if child.newborn.waits:
                child.newborn.dismiss()
            else:
                self._ending[child.spec.worker] = child
                self._tell(messages.Withdrawn(*key, child.pid))
                self._sweeper.kill(child)

    def _let_begin(self, start: messages.Start) -> None:
        """Where it has got ready, and has not been discarded meanwhile; one that is still to be forked begins later."""
        child = self._children.get(start.key)
        if child is None:
            self._loop.later(0.0, partial(self._begin, start.key))
        elif child.spec is start.spec:
            child.newborn.release()

    def _fork(self, start: messages.Start) -> Child:
        spec = start.spec
        newborn, limits = self._nursery.send(start)
        child = Child(spec, newborn, self._outputs.capture(spec), limits)
        self._outputs.watch(child, newborn)
        child.status_fd = newborn.status
        self._loop.watch(newborn.status, lambda: self._on_start_status(child))
        return child

    def _on_start_status(self, child: Child) -> None:
        """The status pipe ends when the worker's program has begun, and carries words where it could not."""
        if not child.read_start_error() and child.status is None:
            return
        self._loop.unwatch(child.status_fd)
        child.status_fd = -1
        self._nursery.has_begun()
        if not child.start_error and not child.newborn.waits:
            self._tell_of(child, messages.Started(*child.key, child.pid, start_ticks(child.pid)))

    def _signal(self, key: messages.Key, number: int) -> None:
        child = self._children.get(key)
        if child is not None:
            child.signal(number)

    def _kill(self, key: messages.Key) -> None:
        child = self._children.get(key)
        if child is None:
            self._tell(messages.NotRunning(*key))
        else:
            self._sweeper.kill(child)

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
                self._prepare(child)
                if child.status_fd >= 0:
                    self._on_start_status(child)
                self._sweeper.sweep(child, self._report)

    def _prepare(self, child: Child) -> None:
        """Its successor gets ready while its tree is ended and its death is kept: the spare, as a fork takes longer."""
        child.after = self._succession.after(child)
        if child.after is not None and self._nursery.has_spare:
            self._start(child.after.start, unheard=True)

    def _report(self, child: Child) -> None:
        """All of its tree is gone. Its successor begins once what is known of its death is on the disk."""
        self._outputs.drain(child)
        child.oom = child.limits.oom_kills()
        if child.start_error:
            self._tell_of(child, messages.StartFailed(*child.key, child.start_error))
        else:
            how, kept = child.exit(), None
            if child.after is not None:
                kept, may_begin = self._succession.keep(child, how, child.after)
                if may_begin:
                    self._let_begin(child.after.start)
            self._tell_of(child, messages.Exited(*child.key, child.pid, how, kept))
        self._forget(child)

    def _forget(self, child: Child) -> None:
        self._outputs.close(child)
        child.limits.remove()
        if child.group is not None:
            cgroup.remove(child.group)
        if self._children.get(child.key) is child:
            del self._children[child.key]
        if self._ending.get(child.spec.worker) is child:
            del self._ending[child.spec.worker]
        for waiting in child.orders:
            self._obey(waiting)

    def _end_all(self) -> None:
        """Kills every tree; waits for none: what is left are zombies, reaped by whoever inherits them."""
        self._nursery.close()
        self._succession.close()
        for key in self._unheard.all():
            self._discard(key)
        for child in list(self._children.values()):
            self._sweeper.kill(child)
        if self._groups is not None:
            for _ in range(200):
                self._reap()
                if not cgroup.is_populated(self._groups.folder):
                    break
                select.select([], [], [], 0.005)
            self._groups.destroy()
            Delegation(self._groups.folder).give_back()
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
        Launcher(control, options, runner, Succession(BlackBox(options.black_box))).run()
    except KeyboardInterrupt:
        sys.exit(1)
