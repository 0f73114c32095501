"""Where the number of a process counts: in one PID namespace, of one boot of one machine."""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Of the machine, in all namespaces the same. Source: random(4)."""


def own() -> str:
    """Names the numbering of this process, without blanks: `BOOT/NAMESPACE`; empty where /proc does not tell."""
    with contextlib.suppress(OSError):
        return f"{_BOOT_ID.read_text().strip()}/{_namespace('self')}"
    return ""


def pid_here(pid: int, numbering: str) -> int | None:
    """What this process calls the process that has this number in another numbering; None where it does not see it."""
    return pids_here([pid], numbering)[pid]


def pids_here(pids: Iterable[int], numbering: str) -> dict[int, int | None]:
    """As `pid_here`, for many.

    A namespace sees what is in those below it, by numbers of its own. Source: pid_namespaces(7).
    """
    ours = own()
    if not numbering or numbering == ours:
        return {pid: pid for pid in pids}
    found: dict[int, int | None] = dict.fromkeys(pids)
    boot, _, namespace = numbering.partition("/")
    if boot == ours.partition("/")[0]:
        for name in os.listdir("/proc"):
            if name.isdigit() and (pid := _innermost(name)) in found:
                with contextlib.suppress(OSError):
                    if _namespace(name) == namespace:
                        found[pid] = int(name)
    return found


def _namespace(pid: str) -> str:
    return str(os.stat(f"/proc/{pid}/ns/pid").st_ino)


def _innermost(pid: str) -> int | None:
    """The number of a process in its own namespace."""
    with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/status", "rb") as file:
        return int(file.read().partition(b"\nNSpid:")[2].split(b"\n", 1)[0].split()[-1])
    return None
