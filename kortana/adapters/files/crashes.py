"""Crash records under data/crashes: written once each, grouped by fingerprint, bounded by number and bytes."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kortana.adapters.files.layout import PRIVATE_DIR, PRIVATE_FILE
from kortana.adapters.files.segments import lines_of
from kortana.protocol.codec import encode_json

KEEP_RECORDS = 500
KEEP_BYTES = 50 << 20
TAIL_BYTES = 256 * 1024


class CrashStore:
    """One file a record, `ID.json`; IDs sort by time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, record: dict[str, Any]) -> None:
        """Seals a record; the oldest go where there are too many. Raises OSError."""
        self._folder.mkdir(mode=PRIVATE_DIR, exist_ok=True)
        path = self._folder / f"{record['id']}.json"
        temp = path.with_suffix(".tmp")
        with open(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
            file.write(encode_json(record) + b"\n")
        os.replace(temp, path)
        self._retain()

    def _retain(self) -> None:
        files = sorted(self._folder.glob("*.json"))
        if len(files) <= KEEP_RECORDS // 2:
            return
        sizes = {path: path.stat().st_size for path in files}
        total = sum(sizes.values())
        for path in files:
            if len(sizes) <= KEEP_RECORDS and total <= KEEP_BYTES:
                return
            path.unlink(missing_ok=True)
            total -= sizes.pop(path)

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


def _load(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def latest_events(journal: Path, agent: str, most: int) -> list[dict[str, Any]]:
    """The last events to and from an agent within the journal's last 256 KiB, as short values."""
    try:
        begin = max(journal.stat().st_size - TAIL_BYTES, 0)
    except OSError:
        return []
    mark = f'"{agent}"'.encode()
    found: list[dict[str, Any]] = []
    for _, line in lines_of(journal, begin):
        if mark not in line:
            continue
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if agent in (record.get("source"), record.get("target"), record["payload"].get("agent")):
            keys = ("seq", "recorded_at", "source", "target", "event_type", "task_id", "payload")
            found.append({key: record[key] for key in keys})
    return found[-most:]
