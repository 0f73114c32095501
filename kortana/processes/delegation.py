"""Controllers for the workers' cgroups, where Kortana has a cgroup v2 to itself: a unit of systemd with Delegate=yes, a
container.

A cgroup that hands its controllers down may have no process in it, so Kortana's own move into one beside the workers'.
Where others are in it too (a terminal's shell), nothing is handed down: the kernel would hand the controller of pids
down all the same, and from then on no process could be put into any cgroup below.
Source: the kernel's admin-guide/cgroup-v2, "No Internal Process Constraint" and "Threads".
"""

import errno
import os
from contextlib import suppress
from pathlib import Path

from kortana.processes import cgroup

CONTROLLERS = ("memory", "pids")


def may_hand_down(top: Path) -> list[str]:
    """Which controllers this process could hand down from its cgroup, if it began a run there."""
    try:
        if not os.access(top / "cgroup.subtree_control", os.W_OK) or not (_is_root(top) or _has_only_ours(top)):
            return []
        return _controllers_of(top)
    except OSError:
        return []


def _controllers_of(top: Path) -> list[str]:
    there = (top / "cgroup.controllers").read_text().split()
    return [name for name in CONTROLLERS if name in there]


def _is_root(top: Path) -> bool:
    """The root of all may have both: processes, and controllers that it hands down."""
    return not (top / "cgroup.type").exists()


def _pids_in(folder: Path) -> list[str]:
    """As text; 0 is a process that this one cannot see."""
    return (folder / "cgroup.procs").read_text().split()


def _has_only_ours(top: Path) -> bool:
    """Nobody but this process and the one that started it: the launcher and the supervisor."""
    return set(_pids_in(top)) <= {str(os.getpid()), str(os.getppid())}


class Delegation:
    """What the cgroup above a run's hands down to it."""

    def __init__(self, run: Path) -> None:
        """run: the folder with the workers' cgroups."""
        self._run, self._top, self._home = run, run.parent, cgroup.home_of(run)

    def take(self) -> None:
        """Called by the launcher before the first worker. Where it cannot be had, everything stays as it was."""
        names = may_hand_down(self._top)
        if not names:
            return
        try:
            if not _is_root(self._top):
                self._make_room()
            for folder in (self._top, self._run):
                _hand_down(folder, "+", names)
        except OSError:
            self.give_back()

    def _make_room(self) -> None:
        """Moves the supervisor and the launcher out of the way. Raises OSError where somebody has come meanwhile."""
        self._home.mkdir(exist_ok=True)
        _move(self._top, self._home)
        if _pids_in(self._top):
            raise OSError(errno.EBUSY, "others are in it")

    def give_back(self) -> None:
        """As it was before. The workers' cgroups must be gone, or have had nothing handed down."""
        if self._home.is_dir():
            with suppress(OSError):
                _hand_down(self._top, "-", _controllers_of(self._top))
                _move(self._home, self._top)
            cgroup.remove(self._home)


def _hand_down(folder: Path, sign: str, names: list[str]) -> None:
    """All or none of them."""
    (folder / "cgroup.subtree_control").write_text(" ".join(sign + name for name in names))


def _move(source: Path, target: Path) -> None:
    for pid in _pids_in(source):
        (target / "cgroup.procs").write_text(pid)
