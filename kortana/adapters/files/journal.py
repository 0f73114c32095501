"""The journal on disk: group commit of whole lines, rotation, and a tail that a crash has torn."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from kortana.adapters.files.layout import PRIVATE_FILE, free_name, replace_file, sync_folder
from kortana.adapters.files.segments import TornTail, next_segment_name, read_records, segment_paths
from kortana.adapters.files.tail import JournalTail
from kortana.ports import BackgroundSync, JournalFault, JournalGone
from kortana.protocol.event import Record

_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_sync = os.fdatasync if sys.platform == "linux" else os.fsync
MIN_BEHIND = 8
"""A group of fewer records is synced on the spot: that is 0.1 ms sooner, and there is little to do meanwhile."""


class FileJournal:
    """Appends to `coordination_events.jsonl`; one owner at a time (the data folder's lock sees to it).

    durable: sync every commit to the disk, or leave it to the page cache, which survives kill -9 only.
    rotate_bytes: put the current file away once it is longer. background: by which `begin` syncs, or None.
    """

    def __init__(
        self,
        path: Path,
        durable: bool = True,
        rotate_bytes: int = 64 << 20,
        background: BackgroundSync | None = None,
    ) -> None:
        self._path = path
        self._durable = durable
        self._rotate_bytes = rotate_bytes
        self._background = background
        self._begun = b""
        """What has been written, and is being synced."""
        self._behind: BackgroundSync | None = None
        """What syncs it; None where that was done on the spot."""
        self._fd = -1
        self._place: tuple[int, int] | None = None
        """Device and inode of the current file; None while there is none."""
        self._size = 0
        self.tail = JournalTail(path)
        self._distrusted = False
        """A sync of the current file has failed: what the page cache shows of it may never reach the disk."""

    def open(self) -> None:
        """Opens the current file for appending. Read it first: a torn tail must be mended before. Raises OSError.

        What a killed process had written and not synced is made durable before anything is built on it.
        """
        if self._distrusted:
            if self._path.exists():
                os.truncate(self._path, self._size)  # what was never synced is void, and must not be read
            self._put_away()
            self._distrusted = False
        self._fd = os.open(self._path, _WRITE_FLAGS, PRIVATE_FILE)
        found = os.fstat(self._fd)
        self._size, self._place = found.st_size, (found.st_dev, found.st_ino)
        if self._durable:
            _sync(self._fd)
            if self._size == 0:
                self._sync_newest_rotated()
            sync_folder(self._path.parent)

    def check_place(self) -> None:
        """Raises JournalGone where somebody has taken the file away (`git clean -fdx`): what is written to it now would
        be acknowledged, and never be seen again. From any thread."""
        place = self._place
        if place is None:
            return
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            found = None
        except OSError:
            return  # a disk that fails says so when it is written to
        if self._place == place and (found is None or (found.st_dev, found.st_ino) != place):
            raise JournalGone(f"{self._path} was removed, moved or replaced while it was in use")

    def _sync_newest_rotated(self) -> None:
        """A process that died may have put a file away whose end it could not sync; the new one builds on that."""
        rotated = [path for path in segment_paths(self._path) if path != self._path]
        if rotated:
            fd = os.open(rotated[-1], os.O_WRONLY)
            try:
                _sync(fd)
            finally:
                os.close(fd)

    def commit(self, lines: list[bytes], last_seq: int) -> None:
        """One write and one sync for all that has gathered. Raises JournalFault; then none of them counts.

        After a failed write the file goes back to its last record. After a failed sync it is never written
        again: the journal goes on in a new file, and readers take that one's word where the two overlap.
        """
        data = b"".join(lines)
        self._write(data)
        self._sync_now()
        self._count(data)

    def begin(self, lines: list[bytes], last_seq: int) -> bool:
        """As `commit`, but the sync goes on: nothing counts, and nothing may be asked of the journal, before `end`.

        False where it is better done on the spot; then nothing has been written.
        """
        if not self._durable or self._background is None or len(lines) < MIN_BEHIND:
            return False
        data = b"".join(lines)
        self._write(data)
        self._behind = self._background if self._background.begin(self._fd) else None
        if self._behind is None:
            self._sync_now()
        self._begun = data
        return True

    def has_ended(self) -> bool:
        """Whether `end` would not have to wait."""
        return self._behind is None or self._behind.has_ended()

    def end(self) -> None:
        """Waits for what was begun. Raises JournalFault, as `commit` does."""
        data, self._begun = self._begun, b""
        try:
            if self._behind is not None:
                self._behind.end()
        except OSError as error:
            raise self._sync_failed(error) from error
        self._count(data)

    def _write(self, data: bytes) -> None:
        self.check_place()
        try:
            if self._fd < 0:
                self.open()
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            self._roll_back()
            raise JournalFault(f"{self._path.name}: {error.strerror}") from error

    def _sync_now(self) -> None:
        if self._durable:
            try:
                _sync(self._fd)
            except OSError as error:
                raise self._sync_failed(error) from error

    def _sync_failed(self, error: OSError) -> JournalFault:
        self._distrusted = True
        self._roll_back()
        return JournalFault(f"{self._path.name}: sync: {error.strerror}")

    def _count(self, data: bytes) -> None:
        """It is durable."""
        self._size += len(data)
        self.tail.add(data)
        if self._size >= self._rotate_bytes:
            self._rotate()

    def _roll_back(self) -> None:
        """Back to the last record that was made durable; the next commit opens the file anew."""
        if self._fd < 0:
            return
        try:
            os.ftruncate(self._fd, self._size)
            os.fsync(self._fd)
        except OSError:
            self._distrusted = True
        finally:
            os.close(self._fd)
            self._fd = -1

    def _put_away(self) -> None:
        """The current file becomes the newest of the rotated ones; done already where a step after it had failed."""
        self._place = None
        if self._path.exists():
            os.rename(self._path, next_segment_name(self._path))

    def _rotate(self) -> None:
        """Raises JournalFault; what was committed stays committed, and the next commit opens a file."""
        try:
            os.close(self._fd)
            self._fd = -1
            self._put_away()
            self.open()
        except OSError as error:
            raise JournalFault(f"rotation of {self._path.name}: {error.strerror}") from error

    def read(self, after: int = 0) -> Iterator[Record]:
        """The records with a higher seq. Raises JournalDamageError, and TornTail at a torn end."""
        return read_records(self._path, after, self._size if self._distrusted else None)

    def mend(self, torn: TornTail) -> Path:
        """Saves a torn tail aside, cuts it off, and gives the place where it was saved. Raises OSError."""
        aside = free_name(torn.path.with_name(f"{torn.path.name}.torn-{torn.offset}"))
        with torn.path.open("r+b") as file:
            file.seek(torn.offset)
            replace_file(aside, [file.read()])
            file.truncate(torn.offset)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(torn.path.parent)
        return aside

    def close(self) -> None:
        if self._begun:
            try:
                self.end()
            except JournalFault:
                pass
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
