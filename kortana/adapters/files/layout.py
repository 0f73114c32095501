"""Where everything stands under data/, and with which rights."""

import os
from pathlib import Path

PRIVATE_DIR = 0o700
PRIVATE_FILE = 0o600


class DataLayout:
    """The names of CONTRACT section 3 below one data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.journal = root / "coordination_events.jsonl"
        self.task_graph = root / "task_graph.json"
        self.agent_state = root / "agent_state.json"
        self.checkpoint = root / "checkpoint.json"
        self.supervision = root / "supervision.jsonl"
        self.logs = root / "logs"
        self.crashes = root / "crashes"
        self.run = root / "run"
        self.endpoint = self.run / "endpoint.json"
        self.lock = self.run / "lock"
        self.processes = self.run / "processes.json"
        self.reserve = self.run / "reserve"
        self.black_box = self.run / "deaths.jsonl"

    def log_of(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def create(self) -> None:
        """Makes the folders, for their owner alone; a new data folder is nothing for git. One that was there may be a
        person's too, and stays as it is, but for `run`. Raises OSError."""
        try:
            self.root.mkdir(mode=PRIVATE_DIR, parents=True)
        except FileExistsError:
            pass  # maybe by an `up` at the same time; the lock in it decides between them
        else:
            with open(self.root / ".gitignore", "w", opener=private_opener) as file:
                file.write("# made by kortana\n*\n")
        for folder in (self.logs, self.run):
            folder.mkdir(mode=PRIVATE_DIR, exist_ok=True)
        self.run.chmod(PRIVATE_DIR)


def private_opener(path: str, flags: int) -> int:
    """For `open`: what it creates is for the owner alone."""
    return os.open(path, flags, PRIVATE_FILE)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable. On Windows they are as durable as their files, and no folder can be
    opened."""
    if os.name == "nt":
        return
    sync_file(folder)


def sync_file(path: Path) -> None:
    """Makes durable what was written to a file. Raises OSError."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def free_name(path: Path) -> Path:
    """The path, or where something stands there already, that with a number: what is saved replaces nothing."""
    found, number = path, 0
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found


def replace_file(path: Path, parts: list[bytes], durable: bool = True) -> None:
    """Replaces a file atomically: temp file, fsync, rename, fsync of the folder. Raises OSError."""
    temp = path.with_name(path.name + ".tmp")
    fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    try:
        with os.fdopen(fd, "wb") as file:
            file.writelines(parts)
            file.flush()
            if durable:
                os.fsync(fd)
        os.replace(temp, path)
    except OSError:
        temp.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(path.parent)
