"""The data folder is made once, whoever else makes it at the same moment."""

from pathlib import Path
from typing import Any

import pytest

from kortana.adapters.files.layout import PRIVATE_DIR, DataLayout


def test_a_new_data_folder_is_private_and_nothing_for_git(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path / "deep" / "data")
    layout.create()
    assert (layout.root / ".gitignore").read_text().endswith("*\n")
    assert all(folder.stat().st_mode & 0o777 == PRIVATE_DIR for folder in (layout.root, layout.logs, layout.run))


def test_a_data_folder_that_was_there_gets_no_gitignore(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path)
    layout.create()
    layout.create()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "run"]


def test_the_rights_of_a_persons_own_folders_are_left_alone(tmp_path: Path) -> None:
    layout = DataLayout(tmp_path)
    for folder in (layout.logs, layout.run):
        folder.mkdir()
        folder.chmod(0o755)
    layout.create()
    assert [folder.stat().st_mode & 0o777 for folder in (layout.logs, layout.run)] == [0o755, PRIVATE_DIR]


def test_another_up_that_makes_the_folder_in_the_same_moment_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = DataLayout(tmp_path / "data")
    mkdir = Path.mkdir

    def a_moment_too_late(path: Path, *args: Any, **named: Any) -> None:
        if not path.exists():
            mkdir(path, parents=True)
        mkdir(path, *args, **named)

    monkeypatch.setattr(Path, "mkdir", a_moment_too_late)
    layout.create()
    assert layout.run.is_dir() and layout.logs.is_dir()


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    with pytest.raises(OSError, match="data"):
        DataLayout(tmp_path / "data").create()
