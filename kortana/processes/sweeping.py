"""The end of whole process trees: by their cgroups, or where there are none, by what their processes carry."""

import os
import select
from collections.abc import Callable

from kortana.ports import ProcessSpec
from kortana.processes import cgroup, tree
from kortana.processes.incarnation import Child
from kortana.processes.loop import Loop


class Sweeper:
    """Of one run, in the launcher's loop."""

    def __init__(self, loop: Loop, run_id: str) -> None:
        self._loop, self._run_id = loop, run_id

    def mark(self, spec: ProcessSpec) -> tree.Mark:
        return tree.Mark(self._run_id, spec.env.get("KORTANA_TOKEN"))

    def kill(self, child: Child) -> None:
        """Kills everything that it ever started, and itself."""
        if child.group is not None:
            cgroup.kill_all(child.group)
        else:
            tree.kill_marked(self.mark(child.spec), frozenset({child.pid}))

    def sweep(self, child: Child, then: Callable[[Child], None]) -> None:
        """Its first process is gone: ends what that has left. then: is called when nothing is left."""
        if child.group is None:
            child.swept = tree.kill_marked(self.mark(child.spec), frozenset({child.pid}))
            then(child)
        elif cgroup.is_populated(child.group):
            child.swept = cgroup.count(child.group)
            child.events_fd = os.open(child.group / "cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
            self._loop.watch(child.events_fd, lambda: self._on_group_event(child, then), select.EPOLLPRI)
            cgroup.kill_all(child.group)
            self._on_group_event(child, then)
        else:
            then(child)

    def _on_group_event(self, child: Child, then: Callable[[Child], None]) -> None:
        assert child.group is not None
        if child.events_fd >= 0 and not cgroup.is_populated(child.group):
            self._loop.unwatch(child.events_fd)
            child.events_fd = -1
            then(child)
