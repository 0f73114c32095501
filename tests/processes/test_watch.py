"""A folder is watched whether or not it is there, with inotify and without."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from kortana.processes import watch
from kortana.processes.watch import FolderWatch


@pytest.fixture(params=["inotify", "none left"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "none left":
        none = SimpleNamespace(inotify_init1=lambda flags: -1, inotify_add_watch=lambda *_: -1)
        monkeypatch.setattr(watch, "_libc", none)


def _is_told_until(folder_watch: FolderWatch, act: Callable[[], object], condition: Callable[[], bool]) -> bool:
    """Whether it is woken, and not by its time, until the condition is met that another thread's act brings about."""
    thread = threading.Thread(target=act)
    thread.start()
    try:
        while not condition():
            if folder_watch.wait(30.0) is None:
                return False
        return True
    finally:
        thread.join()


def _is_told_of_a_new_name(folder_watch: FolderWatch) -> bool:
    return any(folder_watch.wait(10.0) for _ in range(5))


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("system")
def test_a_write_a_new_name_and_a_folder_that_goes_and_comes_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    seen = FolderWatch(folder)
    file = folder / "file"
    for _ in range(2):
        assert _is_told_until(seen, lambda: folder.mkdir(parents=True), folder.is_dir)
        assert _is_told_until(seen, lambda: file.write_text("x"), file.exists)
        assert _is_told_until(seen, lambda: file.write_text("more"), lambda: file.read_text() == "more")
        file.unlink()
        folder.rmdir()
        folder.parent.rmdir()
        seen.wait(0.0)
    seen.close()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["removed", "moved away"])
def test_a_folder_that_goes_is_noticed_though_its_file_is_open(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "logs"
    folder.mkdir(parents=True)
    (folder / "file").write_text("x")
    seen = FolderWatch(folder)
    with (folder / "file").open():
        if how == "removed":
            shutil.rmtree(tmp_path / "data")
        else:
            (tmp_path / "data").rename(tmp_path / "old")
        folder.mkdir(parents=True)
        assert _is_told_of_a_new_name(seen)
        (folder / "file").write_text("y")
        assert _is_told_of_a_new_name(seen)
    seen.close()


def test_a_new_name_is_told_from_a_write(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    seen = FolderWatch(tmp_path)
    with (tmp_path / "old").open("a") as file:
        file.write("y")
    assert seen.wait(0.0) is False
    (tmp_path / "new").write_text("x")
    assert seen.wait(0.0) is True
    assert seen.wait(0.0) is None
    seen.close()
