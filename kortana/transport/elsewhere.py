"""Trees that are not found where they should be: `data_dir` may have been another when they were started, or be by a
variable, or somebody has taken the folder away, or the configuration."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from kortana.transport.endpoint import read_endpoint

_LOCK = "/run/lock"
"""How the path of a data folder's lock ends, which a supervisor holds open for as long as it lives."""
_REMOVED = " (deleted)"


def trees_elsewhere(config: Path, data_dir: Path) -> Iterator[tuple[int, Path]]:
    """Pid and data folder of each supervisor of this user that runs by a configuration in another data folder.

    Looks at every process, as all of these do: for who has found nothing where it should be. Source: proc(5).
    """
    own = _names(config)
    for pid, folder, by in _trees():
        if by in own and folder != data_dir.resolve():
            yield pid, folder


def tree_by_one_of(configs: Sequence[Path]) -> tuple[Path, Path] | None:
    """The first of some configurations by which a supervisor of this user runs, and its data folder. The file itself
    may be gone: to another branch, say."""
    found = {by: folder for _, folder, by in _trees()}
    for config in configs:
        for name in _names(config) & found.keys():
            return config, found[name]
    return None


def stranded(data_dir: Path) -> int | None:
    """The pid of a supervisor of this user whose data folder somebody has removed: it is about to end."""
    removed = f"{data_dir.resolve()}{_LOCK}{_REMOVED}"
    return next((pid for pid, target in _locks() if target == removed), None)


def _names(config: Path) -> set[str]:
    return {str(config), os.path.abspath(config), str(config.resolve())}


def _trees() -> Iterator[tuple[int, Path, str]]:
    """Pid, data folder and configuration of each supervisor."""
    for pid, target in _locks():
        if target.endswith(_LOCK):
            folder = Path(target).parent.parent
            if (endpoint := read_endpoint(folder / "run")) is not None:
                yield pid, folder, str(endpoint.get("config"))


def _locks() -> Iterator[tuple[int, str]]:
    """Of each process the file that it holds open and that is a lock of a data folder, or was."""
    names = os.listdir("/proc") if os.path.isdir("/proc/self/fd") else []
    for name in names:
        with contextlib.suppress(OSError):  # another user's, or one that has just ended
            if name.isdigit() and b"kortana" in Path("/proc", name, "cmdline").read_bytes():
                for fd in os.listdir(f"/proc/{name}/fd"):
                    target = os.readlink(f"/proc/{name}/fd/{fd}")
                    if target.removesuffix(_REMOVED).endswith(_LOCK):
                        yield int(name), target
