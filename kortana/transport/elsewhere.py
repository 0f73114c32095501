"""Other trees of a configuration: `data_dir` may have been another when they were started, or be by a variable."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from kortana.transport.endpoint import read_endpoint

_LOCK = "/run/lock"
"""How the path of a data folder's lock ends, which a supervisor holds open for as long as it lives."""


def trees_elsewhere(config: Path, data_dir: Path) -> Iterator[tuple[int, Path]]:
    """Pid and data folder of each supervisor of this user that runs by a configuration in another data folder.

    Looks at every process: for who has found nothing where it should be. Source: proc(5).
    """
    own = {str(config), str(config.resolve())}
    for pid, folder in _holders():
        endpoint = read_endpoint(folder / "run")
        if endpoint is not None and endpoint.get("config") in own and folder != data_dir.resolve():
            yield pid, folder


def _holders() -> Iterator[tuple[int, Path]]:
    names = os.listdir("/proc") if os.path.isdir("/proc/self/fd") else []
    for name in names:
        with contextlib.suppress(OSError):  # another user's, or one that has just ended
            if name.isdigit() and b"kortana" in Path("/proc", name, "cmdline").read_bytes():
                for fd in os.listdir(f"/proc/{name}/fd"):
                    target = os.readlink(f"/proc/{name}/fd/{fd}")
                    if target.endswith(_LOCK):
                        yield int(name), Path(target).parent.parent
