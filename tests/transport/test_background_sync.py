"""The kernel's own sync: it ends by itself, it tells the hub, and its failures are told as such."""

import os
import select
from pathlib import Path

import pytest

from kortana.adapters.files.journal import MIN_BEHIND, FileJournal
from kortana.ports import JournalFault
from kortana.transport.background_sync import BackgroundSync

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def sync() -> BackgroundSync:
    found = BackgroundSync.open()
    if found is None:
        pytest.skip("no asynchronous fdatasync here")
    return found


def test_its_end_can_be_waited_for_and_is_noticed(sync: BackgroundSync, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(50):
        os.write(fd, b"x" * 5000)
        assert sync.begin(fd)
        assert select.select([sync.fd], [], [], 30)[0]
        assert sync.has_ended()
        sync.end()
    assert not select.select([sync.fd], [], [], 0)[0]


def test_whoever_cannot_wait_for_the_hub_waits_in_end(sync: BackgroundSync, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(50):
        os.write(fd, b"x" * 5000)
        assert sync.begin(fd)
        sync.end()


def test_what_cannot_begin_says_so(sync: BackgroundSync) -> None:
    assert not sync.begin(10_000)


def test_a_failure_is_told_at_the_end(sync: BackgroundSync) -> None:
    read_end, write_end = os.pipe()
    if sync.begin(write_end):
        with pytest.raises(OSError, match="Invalid argument"):
            sync.end()
    os.close(read_end)
    os.close(write_end)


def lines(first: int, count: int) -> list[bytes]:
    return [b"line %d\n" % number for number in range(first, first + count)]


def test_the_journal_counts_nothing_before_the_end(sync: BackgroundSync, tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "j", True, 1 << 20, sync)
    assert not journal.begin(lines(0, MIN_BEHIND - 1), MIN_BEHIND - 1), "a small group is better done at once"
    assert not (tmp_path / "j").exists()
    journal.commit(lines(0, MIN_BEHIND - 1), MIN_BEHIND - 1)
    before = journal._size
    assert journal.begin(lines(10, MIN_BEHIND), 100)
    assert journal._size == before and list(journal.tail._chunks) == [b"".join(lines(0, MIN_BEHIND - 1))]
    journal.end()
    assert journal._size > before
    journal.close()


class FailingSync:
    def begin(self, fd: int) -> bool:
        return True

    def has_ended(self) -> bool:
        return True

    def end(self) -> None:
        raise OSError(5, "Input/output error")


class UnableSync(FailingSync):
    """Takes nothing just now, as a kernel whose requests are all in use."""

    def begin(self, fd: int) -> bool:
        return False


def test_what_cannot_be_synced_behind_is_synced_on_the_spot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("kortana.adapters.files.journal._sync", synced.append)
    journal = FileJournal(tmp_path / "j", True, 1 << 20, UnableSync())
    journal.open()
    synced.clear()
    assert journal.begin(lines(0, MIN_BEHIND), MIN_BEHIND)
    assert len(synced) == 1 and journal.has_ended() and journal._size == 0
    journal.end()
    assert journal._size == len(b"".join(lines(0, MIN_BEHIND)))


def test_after_a_failed_sync_behind_the_journal_goes_on_in_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "coordination_events.jsonl"
    journal = FileJournal(path, True, 1 << 20, FailingSync())
    journal.commit(lines(0, 1), 1)
    assert journal.begin(lines(1, MIN_BEHIND), 9)
    with pytest.raises(JournalFault, match="sync: Input/output error"):
        journal.end()
    journal.commit(lines(1, 1), 2)
    assert path.read_bytes() == b"line 1\n"
    [rotated] = [other for other in tmp_path.iterdir() if other != path]
    assert rotated.read_bytes() == b"line 0\n"


def test_a_journal_that_is_closed_waits_for_its_sync(sync: BackgroundSync, tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "j", True, 1 << 20, sync)
    assert journal.begin(lines(0, MIN_BEHIND), MIN_BEHIND)
    journal.close()
    assert journal._begun == b"" and sync.begin(os.open(tmp_path / "j", os.O_WRONLY))
    sync.end()
