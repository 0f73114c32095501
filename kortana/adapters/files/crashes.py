"""Crash records under data/crashes: written once each, grouped by fingerprint, bounded by number and bytes."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from kortana.adapters.files.layout import PRIVATE_DIR, PRIVATE_FILE, sync_file, sync_folder
from kortana.protocol.codec import encode_json
from kortana.protocol.parsing import parse_json

KEEP_RECORDS = 500
KEEP_BYTES = 50 << 20


class CrashStore:
    """One file a record, `ID.json`; IDs sort by time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._sizes: dict[Path, int] | None = None
        """What is kept, oldest first, in bytes; one process writes, and looks at the folder once."""
        self._total = 0
        self._unsynced: list[Path] = []

    def write(self, record: dict[str, Any]) -> None:
        """Seals a record, which outlives this process; the oldest go where there are too many. Raises OSError."""
        self._folder.mkdir(mode=PRIVATE_DIR, exist_ok=True)
        path = self._folder / f"{record['id']}.json"
        temp = path.with_suffix(".tmp")
        with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
            file.write(encode_json(record) + b"\n")
            size = file.tell()
        os.replace(temp, path)
        with self._lock:
            self._unsynced.append(path)
            self._retain(path, size)

    def sync(self) -> None:
        """What was written outlives a power cut as well. Raises OSError."""
        with self._lock:
            unsynced, self._unsynced = self._unsynced, []
        for path in unsynced:
            with contextlib.suppress(FileNotFoundError):  # one of the oldest meanwhile
                sync_file(path)
        if unsynced:
            sync_folder(self._folder)
            sync_folder(self._folder.parent)

    def _retain(self, path: Path, size: int) -> None:
        sizes = self._sizes
        if sizes is None:
            sizes = self._sizes = {old: old.stat().st_size for old in sorted(self._folder.glob("*.json"))}
            self._total = sum(sizes.values())
        else:
            sizes[path] = size
            self._total += size
        while sizes and (len(sizes) > KEEP_RECORDS or self._total > KEEP_BYTES):
            oldest = next(iter(sizes))
            oldest.unlink(missing_ok=True)
            self._total -= sizes.pop(oldest)

    def read(self, crash_id: str) -> dict[str, Any] | None:
        """A record, by its ID or a beginning of it that is unique; None where there is none."""
        found = [p for p in self._folder.glob("*.json") if p.stem.startswith(crash_id)]
        exact = [p for p in found if p.stem == crash_id]
        chosen = exact or (found if len(found) == 1 else [])
        return _load(chosen[0]) if chosen else None

    def all(self) -> Iterator[dict[str, Any]]:
        """Every record, oldest first; what cannot be read is left out."""
        for path in sorted(self._folder.glob("*.json")):
            record = _load(path)
            if record is not None:
                yield record

    def groups(self) -> list[dict[str, Any]]:
        """Records by fingerprint, the group that was last seen first."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.all():
            group = found.setdefault(
                record["fingerprint"],
                {"fingerprint": record["fingerprint"], "count": 0, "first_seen": record["at"], "last_seen": "",
                 "workers": [], "summary": "", "ids": [], "tasks": [], "verdict": ""},
            )  # fmt: skip
            group["count"] += 1
            group["last_seen"], group["summary"] = record["at"], record["summary"]
            group["verdict"] = record["verdict"]
            group["ids"].append(record["id"])
            for key, values in (("workers", [record["worker"]]), ("tasks", [held["task"] for held in record["tasks"]])):
                group[key] += [value for value in values if value not in group[key]]
        return sorted(found.values(), key=lambda group: str(group["last_seen"]), reverse=True)


class _Record(msgspec.Struct, frozen=True):
    """What people are shown of every record: a file that lacks some of it is none."""

    id: str
    fingerprint: str
    worker: str
    at: str
    summary: str
    verdict: str
    uptime_s: float | None
    exit_code: int | None
    signal: str | None
    evidence: list[str]
    output: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    events: list[dict[str, Any]]


def _load(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = parse_json(path.read_bytes())
        msgspec.convert(found, _Record)
    except (OSError, ValueError, msgspec.ValidationError):
        return None
    return found
