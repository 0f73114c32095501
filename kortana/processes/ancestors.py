"""The environments of the processes from which this one descends. Imports next to nothing: `kortana agent` does."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 64


def environments() -> Iterator[dict[str, str]]:
    """What each of them was started with, the nearest first, as far as they are ours to look at."""
    pid = os.getppid()
    for _ in range(MOST):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                pairs = [pair.partition(b"=") for pair in file.read().split(b"\0")]
            with open(f"/proc/{pid}/stat", "rb") as file:
                pid = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            return
        yield {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
