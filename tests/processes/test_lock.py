"""The lock on the data folder."""

import os
from pathlib import Path

import pytest

from kortana.processes.lock import FolderLock, HeldError, holder_of


def test_it_names_its_holder_and_lets_go_also_where_the_disk_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = FolderLock(tmp_path / "lock")
    lock.acquire()
    assert holder_of(tmp_path / "lock") == os.getpid()
    with pytest.raises(HeldError):
        FolderLock(tmp_path / "lock").acquire()

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", broken)
        lock.release()
    assert holder_of(tmp_path / "lock") is None
