"""A cgroup v2 folder for each run, and below it one for each incarnation, where the system lets us."""

import itertools
import os
from contextlib import suppress
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_HOME = ".home"


def own_folder() -> Path | None:
    """The folder of this process's cgroup v2, pure or beside v1 controllers, or that above Kortana's home; None where
    none is mounted, or KORTANA_NO_CGROUPS says that there are none."""
    if os.environ.get("KORTANA_NO_CGROUPS"):
        return None
    try:
        mounts = [line.split() for line in _MOUNTS.read_text().splitlines()]
        roots = [fields[1] for fields in mounts if fields[2] == "cgroup2"]
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    if not roots or own is None:
        return None
    folder = Path(roots[0] + own)
    return folder.parent if folder.name.startswith("kortana-") and folder.name.endswith(_HOME) else folder


def home_of(run: Path) -> Path:
    """Beside a run's folder: where Kortana's own processes are, if they had to make room."""
    return run.with_name(run.name + _HOME)


class CgroupTree:
    """The cgroups of one run. `create` gives None where there is none to be had: then trees are swept by /proc.

    That they can be made does not say that they take processes: `forking.open_groups` tries it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)

    @classmethod
    def create(cls, run_id: str) -> "CgroupTree | None":
        own = own_folder()
        if own is None:
            return None
        folder = own / f"kortana-{run_id}"
        try:
            folder.mkdir(exist_ok=True)  # a launcher that was killed may have left it
            if (folder / "cgroup.kill").exists():
                return cls(folder)
            folder.rmdir()
        except OSError:
            pass
        return None

    def add(self) -> Path:
        """A new cgroup for one incarnation. Raises OSError."""
        folder = self.folder / f"{os.getpid()}-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def destroy(self) -> None:
        """Kills all that is left and removes the folders, as far as they are empty already."""
        kill_all(self.folder)
        remove(self.folder)


def enter(folder: Path) -> None:
    """Moves the calling process into a cgroup. Raises OSError."""
    with open(folder / "cgroup.procs", "wb", buffering=0) as file:
        file.write(b"0")


def kill_all(folder: Path) -> None:
    """Sends SIGKILL to everything in a cgroup and below, forks in flight included."""
    try:
        with open(folder / "cgroup.kill", "wb", buffering=0) as file:
            file.write(b"1")
    except OSError:
        pass


def is_populated(folder: Path) -> bool:
    """Whether a live process is in a cgroup or below."""
    try:
        fd = os.open(f"{folder}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return b"populated 1" in os.read(fd, 4096)
    except OSError:
        return False
    finally:
        os.close(fd)


def count(folder: Path) -> int:
    """The number of live processes in a cgroup."""
    try:
        return len((folder / "cgroup.procs").read_bytes().split())
    except OSError:
        return 0


def remove(folder: Path) -> bool:
    """Removes an empty cgroup, with those that its processes have made below; False where it is not empty."""
    with suppress(OSError):
        folder.rmdir()
        return True
    for child in list(folder.glob("*/")):
        remove(child)
    with suppress(OSError):
        folder.rmdir()
    return not folder.exists()
