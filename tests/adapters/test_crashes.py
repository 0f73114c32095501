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
