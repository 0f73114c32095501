"""Crash records on the disk: what is kept, and what is durable."""

import os
from pathlib import Path
from typing import Any

import pytest

from kortana.adapters.files import crashes
from kortana.adapters.files.crashes import CrashStore


def record(number: int) -> dict[str, Any]:
    return {"id": f"2026-{number:03}", "worker": "w"}


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What has been synced, in order."""
    found: list[Path] = []
    monkeypatch.setattr(os, "fsync", lambda fd: found.append(Path(os.readlink(f"/proc/self/fd/{fd}"))))
    return found


def test_a_sync_makes_each_record_durable_once_with_its_name(tmp_path: Path, synced: list[Path]) -> None:
    store = CrashStore(tmp_path / "crashes")
    store.sync()
    assert synced == []
    store.write(record(1))
    store.write(record(2))
    store.sync()
    folder = tmp_path / "crashes"
    assert synced == [folder / "2026-001.json", folder / "2026-002.json", folder, tmp_path]
    synced.clear()
    store.sync()
    assert synced == []


def test_a_record_that_had_to_go_before_its_sync_is_no_error(
    tmp_path: Path, synced: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashes, "KEEP_RECORDS", 1)
    store = CrashStore(tmp_path / "crashes")
    store.write(record(1))
    store.write(record(2))
    store.sync()
    assert [path.name for path in synced] == ["2026-002.json", "crashes", tmp_path.name]


def test_a_file_that_is_no_record_is_left_out(tmp_path: Path) -> None:
    whole = {
        "id": "2026-001", "fingerprint": "f", "worker": "w", "at": "2026", "summary": "s", "verdict": "exit",
        "uptime_s": 1.5, "exit_code": 3, "signal": None, "evidence": ["e"], "output": [], "tasks": [{"task": "t"}],
        "events": [],
    }  # fmt: skip
    store = CrashStore(tmp_path)
    store.write(whole)
    for number, content in enumerate(["", "{}", "[]", "null", "[" * 100_000, '{"fingerprint": 1}'], 2):
        (tmp_path / f"2026-00{number}.json").write_text(content)
    store.write({**whole, "id": "2026-009", "tasks": 7})
    assert [group["ids"] for group in store.groups()] == [["2026-001"]]
    assert store.read("2026-001") == whole and store.read("2026-009") is None and store.read("2026-006") is None
