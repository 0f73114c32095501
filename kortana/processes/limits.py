"""Memory and process limits by whatever cgroup controllers the machine offers: v2's, or v1's beside it."""

import os
from pathlib import Path

from kortana.processes import cgroup
from kortana.processes.delegation import CONTROLLERS, may_hand_down

_V2_FILES = {"memory": "memory.max", "pids": "pids.max"}
_V1_FILES = {"memory": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"), "pids": ("pids.max",)}


def own_v1_folder(controller: str) -> Path | None:
    """The folder of this process in a v1 hierarchy; None where that controller is not mounted so."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        lines = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return None
    root = next((f[1] for f in mounts if f[2] == "cgroup" and controller in f[3].split(",")), None)
    own = next((line[2] for line in lines if controller in line[1].split(",")), None)
    if root is None or own is None:
        return None
    below = Path(root + own)
    return below if below.is_dir() else Path(root)


def available(controller: str) -> str:
    """How a limit would be set: `v2`, `v1`, or an empty string where it cannot be."""
    own = cgroup.own_folder()
    if own is not None and controller in may_hand_down(own):
        return "v2"
    folder = own_v1_folder(controller)
    return "v1" if folder is not None and os.access(folder, os.W_OK) else ""


class LimitError(OSError):
    """A limit that was asked for cannot be set here."""

    def __init__(self, controller: str) -> None:
        super().__init__(0, f"limits.{controller} cannot be set here: no writable cgroup controller (kortana doctor)")
        self.strerror = str(self.args[1])


class LimitedGroup:
    """The limits of one incarnation. `folders`: what its first process must enter besides its own cgroup."""

    def __init__(self, group: Path | None, name: str, memory: int | None, pids: int | None) -> None:
        self._group, self._name = group, name
        self.memory = memory
        self.folders: list[Path] = []
        self._oom_file: Path | None = None
        for controller, value in (("memory", memory), ("pids", pids)):
            if value is not None:
                self._limit(controller, value)

    def _limit(self, controller: str, value: int) -> None:
        """Raises LimitError."""
        if self._group is not None and (self._group / _V2_FILES[controller]).exists():
            (self._group / _V2_FILES[controller]).write_text(str(value))
            if controller == "memory":
                self._oom_file = self._group / "memory.events"
            return
        own = own_v1_folder(controller)
        if own is None:
            raise LimitError(controller)
        folder = own / self._name
        try:
            folder.mkdir()
        except OSError:
            raise LimitError(controller) from None
        self.folders.append(folder)
        for name in _V1_FILES[controller]:
            if (folder / name).exists():
                (folder / name).write_text(str(value))
        if controller == "memory":
            self._oom_file = folder / "memory.oom_control"

    def oom_kills(self) -> tuple[int, str]:
        """How often the kernel killed for want of memory here, and the line that says so."""
        if self._oom_file is None:
            return 0, ""
        try:
            lines = self._oom_file.read_text().splitlines()
        except OSError:
            return 0, ""
        line = next((line for line in lines if line.startswith("oom_kill ")), "")
        return (int(line.split()[1]), f"{self._oom_file.name}: {line}, limit {self.memory} bytes") if line else (0, "")

    def remove(self) -> None:
        """Takes the v1 folders away; empty by now."""
        for folder in self.folders:
            cgroup.remove(folder)


def remove_run(run_id: str) -> None:
    """Takes away the v1 folders that a run has left; empty once its processes are gone."""
    for controller in CONTROLLERS:
        own = own_v1_folder(controller)
        for folder in own.glob(f"kortana-{run_id}-*") if own is not None else ():
            cgroup.remove(folder)
