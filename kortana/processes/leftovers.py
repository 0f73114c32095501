"""What an earlier run has left: found by its run id, and ended before a new one begins."""

import json
import os
import signal
from pathlib import Path
from typing import Any

from kortana.processes import cgroup, limits, numbering, tree
from kortana.processes.posix import start_ticks
from kortana.protocol.parsing import parse_json


def remember(path: Path, run_id: str, launcher: tuple[int, int | None]) -> None:
    """Writes down what a later run needs to find this one's processes. Raises OSError."""
    pid, ticks = launcher
    own = cgroup.own_folder()
    text = json.dumps(
        {
            "run_id": run_id,
            "launcher": {"pid": pid, "start_ticks": ticks, "numbering": numbering.own()},
            "cgroup": str(own / f"kortana-{run_id}") if own else None,
        }
    )
    temp = path.with_suffix(".tmp")
    with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)
    os.replace(temp, path)


def remembered_run(path: Path) -> str | None:
    """The id of a run that has not ended cleanly, or None."""
    try:
        return str(parse_json(path.read_bytes())["run_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def end_leftovers(path: Path) -> int:
    """Ends every process of the run that `path` remembers; gives their number."""
    try:
        found: dict[str, Any] = parse_json(path.read_bytes())
        run_id, launcher = str(found["run_id"]), found["launcher"]
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    killed = 0
    if found.get("cgroup"):
        folder = Path(found["cgroup"])
        if folder.is_dir():
            killed += sum(cgroup.count(child) for child in folder.glob("*/"))
            cgroup.CgroupTree(folder).destroy()
        cgroup.remove(cgroup.home_of(folder))
    pid, ticks = launcher.get("pid"), launcher.get("start_ticks")
    here = numbering.pid_here(pid, launcher.get("numbering", "")) if pid else None
    if here and ticks is not None and start_ticks(here) == ticks:
        os.kill(here, signal.SIGKILL)
        killed += 1
    killed += tree.kill_marked(tree.Mark(run_id), but=frozenset({os.getpid()}))
    limits.remove_run(run_id)
    path.unlink(missing_ok=True)
    return killed


def end_run(run_id: str, folder: Path | None) -> None:
    """Ends what a dead launcher of this run has left behind."""
    if folder is not None and folder.is_dir():
        cgroup.CgroupTree(folder).destroy()
    else:
        tree.kill_marked(tree.Mark(run_id), but=frozenset({os.getpid()}))
    limits.remove_run(run_id)
