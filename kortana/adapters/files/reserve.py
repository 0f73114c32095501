"""A little room kept on the disk: given up when the disk is full, and had again when there is room."""

import os
from pathlib import Path

from kortana.adapters.files.layout import PRIVATE_FILE

RESERVE_BYTES = 1 << 20


class DiskReserve:
    """A preallocated file. While it is there, logs and a clean end have room after the journal has none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self) -> bool:
        """Allocates it; False where the disk has not twice that much room: some must be left to go on with."""
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, PRIVATE_FILE)
            try:
                os.posix_fallocate(fd, 0, 2 * RESERVE_BYTES)
                os.ftruncate(fd, RESERVE_BYTES)
            finally:
                os.close(fd)
        except OSError:
            self.give_up()
            return False
        return True

    def give_up(self) -> None:
        self._path.unlink(missing_ok=True)
