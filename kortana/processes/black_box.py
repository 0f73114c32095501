"""What is known of a death, put on the disk before anything else happens: its record is built from it a moment later.

So a successor need not wait for the record, and whoever ends in that moment takes no evidence along.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from kortana.core.secrets import Masker
from kortana.core.verdict import verdict_of
from kortana.ports import CrashSettings, ProcessExit
from kortana.processes.crash_record import CrashName, Moment, crash_record, masker_of
from kortana.processes.crash_report import death_of
from kortana.processes.incarnation import Child

MAX_BYTES = 8 << 20
"""It is emptied when no record is owed; a supervisor that stands still may owe so much."""


class Entry(msgspec.Struct, frozen=True):
    """One death, without secrets."""

    name: CrashName
    worker: str
    incarnation: int
    pid: int
    uptime_s: float
    exit: ProcessExit
    settings: CrashSettings

    def record(self) -> dict[str, Any]:
        """For a death after which Kortana itself ended."""
        moment = Moment(self.pid, self.uptime_s, True, {"state": "unknown: Kortana itself ended then"})
        death = death_of(self.exit, failing="", unready="", is_quota=False)
        key = self.worker, self.incarnation
        return crash_record(self.name, key, self.settings, self.exit, death, verdict_of(death), moment, Masker())


def entries(path: Path) -> Iterator[Entry]:
    """What an earlier run has left; the last line may be torn. Raises OSError."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=Entry)
        except msgspec.MsgspecError:
            return


def clear_away(path: Path) -> None:
    """Removes it where nothing is owed. Raises OSError."""
    if path.stat().st_size == 0:
        path.unlink()


class BlackBox:
    """Of one launcher, for deaths whose successors do not wait for their records."""

    def __init__(self, path: str) -> None:
        """Empty; where there can be none, nothing is kept."""
        self._fd, self._size = -1, 0
        with contextlib.suppress(OSError):
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._owed: set[tuple[str, int]] = set()

    def keep(self, child: Child, how: ProcessExit, settings: CrashSettings) -> CrashName | None:
        """The name that its record is to have; None where it could not be kept."""
        name = CrashName.of(*child.key)
        uptime_s = round(time.monotonic() - child.began, 3)
        entry = Entry(name, *child.key, child.pid, uptime_s, _masked(how, child.spec.env), settings)
        line = msgspec.json.encode(entry) + b"\n"
        if self._fd < 0 or self._size + len(line) > MAX_BYTES:
            return None
        try:
            written = os.write(self._fd, line)
        except OSError:
            return None
        if written < len(line):
            self._cut()
            return None
        self._size += written
        self._owed.add(child.key)
        return name

    def settle(self, key: tuple[str, int]) -> None:
        """Its record is there, or not wanted."""
        self._owed.discard(key)
        if self._fd >= 0 and self._size and not self._owed:
            self._size = 0
            self._cut()

    def _cut(self) -> None:
        """To what counts: nothing that is read stands behind a torn line."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._size)

    def close(self) -> None:
        """What is owed stays owed: who would have settled it is gone."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _masked(how: ProcessExit, env: dict[str, str]) -> ProcessExit:
    if not how.output and not how.report:
        return how
    shown = masker_of(env).value({"output": [line.text for line in how.output], "report": how.report})
    output = [msgspec.structs.replace(line, text=text) for line, text in zip(how.output, shown["output"], strict=True)]
    return msgspec.structs.replace(how, output=output, report=shown["report"])
