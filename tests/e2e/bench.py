"""A real launcher without a supervisor: the test gives the orders, and reads what it tells."""

import os
import queue
import uuid
from pathlib import Path
from typing import Any

import psutil

from kortana.bootstrap import RUNNER
from kortana.ports import CrashSettings, ProcessSpec
from kortana.processes.link import LauncherLink
from kortana.processes.messages import LauncherOptions, NotRunning

WAIT_S = 60.0
SETTINGS = CrashSettings(["sh"], "/", "0", None, [])


def children_of(pid: int) -> set[int]:
    """By each process's parent: the kernel's own list of children leaves some out while others end."""
    return {child.pid for child in psutil.Process(pid).children()}


class Bench:
    """A launcher, and what it tells."""

    def __init__(self, folder: Path, black_box: str = "") -> None:
        self.folder = folder
        self.told: queue.Queue[Any] = queue.Queue()
        self.hung: queue.Queue[str] = queue.Queue()
        self.black_box = Path(black_box) if black_box else folder / "deaths.jsonl"
        self.run = uuid.uuid4().hex[:12]
        options = LauncherOptions(self.run, False, False, False, 1, RUNNER, str(self.black_box))
        self.link = LauncherLink(options, self.told.put, self.hung.put)
        self.link.open()

    def spec(self, command: str = "touch ran; exec sleep 1000", **changes: Any) -> ProcessSpec:
        env = {"PATH": os.environ["PATH"], "KORTANA_RUN": self.run, "KORTANA_TOKEN": uuid.uuid4().hex}
        fields: dict[str, Any] = {
            "worker": "w", "incarnation": 1, "argv": ["sh", "-c", command], "entrypoint": None,
            "cwd": str(self.folder), "env": env, "log_path": str(self.folder / "w.log"), "log_rotate_bytes": 1 << 20,
            "log_keep": 1, "ready_pattern": None, "open_files": None,
        }  # fmt: skip
        return ProcessSpec(**{**fields, **changes})

    def next(self) -> Any:
        return self.told.get(timeout=WAIT_S)

    def children(self) -> set[int]:
        return children_of(self.link.pid)

    def ran(self) -> bool:
        return (self.folder / "ran").exists()

    def appoint(self, spec: ProcessSpec, but_not: list[int], normal: tuple[int, ...] = ()) -> None:
        self.link.start_after(spec, but_not, list(normal), SETTINGS)

    def hold(self, spec: ProcessSpec) -> int:
        """Its pid, once it has its orders: the launcher does one thing after the other."""
        before = self.children()
        self.link.start(spec, held=True)
        self.link.kill_tree("nobody", 0)
        assert isinstance(self.next(), NotRunning)
        [pid] = self.children() - before
        return pid
