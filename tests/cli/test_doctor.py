"""What doctor says of a data folder that is somebody else's, as after a `sudo kortana up`."""

import os
from pathlib import Path

import pytest

from kortana.adapters.files.layout import DataLayout
from kortana.cli.common import Project
from kortana.cli.doctor import Check, _checks
from kortana.processes.lock import FolderLock


@pytest.fixture
def layout(tmp_path: Path) -> DataLayout:
    (tmp_path / "kortana.yaml").write_text("version: 1\nworkers: {}\n")
    layout = DataLayout(tmp_path / "data")
    layout.create()
    lock = FolderLock(layout.lock)
    lock.acquire()
    lock.release()
    layout.log_of("w").write_text("said\n")
    return layout


def checks(layout: DataLayout) -> dict[str, Check]:
    return {check.name: check for check in _checks(layout.root.parent / "kortana.yaml")}


def test_one_file_that_another_user_has_left_is_named(layout: DataLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks(layout)["data folder"].ok
    theirs, access = layout.log_of("w"), os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != theirs and access(path, mode))
    found = checks(layout)["data folder"]
    assert not found.ok and str(theirs) in found.what and "chown" in found.remedy


def test_what_cannot_be_looked_at_is_a_failed_check_and_all_others_are_made(
    layout: DataLayout, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, opened = list(checks(layout)), os.open

    def refuse(path: object, *more: int, **named: int) -> int:
        if path == layout.lock:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *more, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    found = checks(layout)
    assert list(found) == names
    assert found["running"] == Check("running", False, f"{layout.lock}: Permission denied", found["running"].remedy)
    with pytest.raises(PermissionError):  # and nobody is told that nothing runs
        Project(layout.root.parent / "kortana.yaml").holder()
