"""Whoever takes the data folder away while it is in use ends the tree (`git clean -fdx`, `mv`): nobody would find it,
and a second one could be started beside it."""

import contextlib
import threading
from typing import Any

import pykka

from kortana.actors.messages import ShutDown
from kortana.processes.lock import FolderLock
from kortana.processes.watch import FolderWatch


def watch_over(lock: FolderLock, supervisor: Any) -> None:
    """Begins to. lock: the data folder's, held until the process ends."""
    watch = FolderWatch(lock.path.parent, names_only=True)
    threading.Thread(target=_watch, args=(watch, lock, supervisor), name="data-folder", daemon=True).start()


def _watch(watch: FolderWatch, lock: FolderLock, supervisor: Any) -> None:
    while lock.is_in_place():
        watch.wait()
    with contextlib.suppress(pykka.ActorDeadError):
        supervisor.tell(ShutDown(f"{lock.path.parent.parent} was removed, moved or replaced while it was in use", 1))
