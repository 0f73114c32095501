"""The lock on the data folder."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from kortana.processes import lock
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


def test_who_only_asks_is_taken_for_a_holder_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    crashed = os.open(path, os.O_RDWR | os.O_CREAT)
    os.write(crashed, b"1\n")
    os.close(crashed)
    asking = os.open(path, os.O_RDWR)
    fcntl.flock(asking, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert holder_of(path) is None
    lock = FolderLock(path)
    starting = threading.Thread(target=lock.acquire)
    starting.start()
    os.close(asking)
    starting.join(30)
    assert not starting.is_alive() and holder_of(path) == os.getpid()
    lock.release()


@pytest.mark.parametrize("asks", [True, False], ids=["who asks", "who wants it"])
def test_a_holder_that_was_killed_is_waited_for_while_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: bool
) -> None:
    """Its memory is gone before its files are closed: it carries no mark any more, and holds the lock still."""
    path, looks = tmp_path / "lock", iter((True, True, True))
    killed, successor = FolderLock(path), FolderLock(path)
    killed.acquire()

    def is_ending(pid: int) -> bool:
        assert pid == os.getpid()
        if not next(looks, False):
            os.close(killed._fd)
        return True

    monkeypatch.setattr(lock, "_is_ending", is_ending)
    if asks:
        assert holder_of(path) is None
    successor.acquire()
    monkeypatch.undo()
    assert holder_of(path) == os.getpid()
    successor.release()


def test_a_process_without_memory_is_about_to_end() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert lock._is_ending(child) and not lock._is_ending(os.getpid())
    os.waitpid(child, 0)
    assert not lock._is_ending(child)


def test_one_lock_of_many_that_are_wanted_at_once_is_had(tmp_path: Path) -> None:
    path, had, refused = tmp_path / "lock", [], []

    def want() -> None:
        lock = FolderLock(path)
        try:
            lock.acquire()
        except HeldError as error:
            refused.append(error.pid)
        else:
            had.append(lock)

    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            holder_of(path)

    wanting = [threading.Thread(target=want) for _ in range(16)]
    asker = threading.Thread(target=ask)
    asker.start()
    for thread in wanting:
        thread.start()
    for thread in wanting:
        thread.join(30)
    over.set()
    asker.join(30)
    assert len(had) == 1 and refused == [os.getpid()] * 15


def test_a_lock_knows_whether_its_file_is_where_it_was(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "lock")
    lock.acquire()
    assert lock.is_in_place()
    lock.path.rename(tmp_path / "elsewhere")
    assert not lock.is_in_place()
    lock.path.touch()
    assert not lock.is_in_place(), "another one"
    (tmp_path / "elsewhere").rename(lock.path)
    assert lock.is_in_place()
    lock.release()
    assert lock.is_in_place(), "nobody minds"
