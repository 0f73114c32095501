"""Real power cuts: a file system on a loop device, shut down by FS_IOC_SHUTDOWN without flushing its log."""

import contextlib
import fcntl
import os
import random
import signal
import struct
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.adapters.files import journal as journal_module
from tests.e2e.project import eventually
from tests.faults import driver

CUTS = 1000 if os.environ.get("KORTANA_LONG") else 20
SEED = int(os.environ.get("KORTANA_SEED", "1"))
FS_IOC_SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
KINDS = {"ext4": (64, ("mkfs.ext4", "-q", "-F")), "xfs": (300, ("mkfs.xfs", "-q", "-f"))}
"""A file system → how large it has to be at least (MiB), and how it is made."""


class Disk:
    """The image, mounted or not."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.image, self.mount_point = folder / "disk.img", folder / "disk"
        self.mount_point.mkdir()
        size, make = KINDS[kind]
        with self.image.open("wb") as file:
            file.truncate(size << 20)
        self._run(*make, str(self.image))
        self.mount()

    def _run(self, *words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"{' '.join(words)}: {done.stderr.strip()}")

    def mount(self) -> None:
        self._run("mount", "-o", "loop", str(self.image), str(self.mount_point))

    def umount(self) -> None:
        """Until nobody has it any more: a mount namespace that anybody made meanwhile holds on to it for its life, and
        who mounts it again would be given the one that was shut down."""
        self._run("umount", str(self.mount_point))
        eventually(lambda: not self._is_held(), "its loop device is let go")

    def _is_held(self) -> bool:
        for path in Path("/sys/block").glob("loop*/loop/backing_file"):
            with contextlib.suppress(OSError):
                if path.read_text().strip() == str(self.image):
                    return True
        return False

    def cut_power(self) -> None:
        fd = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)


class NoSync:
    """Says that it has synced."""

    def begin(self, fd: int) -> bool:
        return True

    def has_ended(self) -> bool:
        return True

    def end(self) -> None: ...


@pytest.fixture(params=KINDS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path, request.param)
    except (OSError, FileNotFoundError) as error:
        warnings.warn(f"SKIPPED: no power can be cut here: {error}", stacklevel=1)
        pytest.skip(f"NO POWER WAS CUT: {error}")
    yield made
    subprocess.run(["umount", "-l", str(made.mount_point)], capture_output=True)


def cut(disk: Disk, witness: driver.Witness, seed: int, acks: int, before=lambda: None) -> None:
    """A life, and a power cut once so much has been acknowledged; then the disk comes back."""
    pid, read_end = driver.fork_life(witness.folder, seed, before)
    data = b""
    while data.count(b"\n") < acks and (chunk := os.read(read_end, 1 << 16)):
        data += chunk
    disk.cut_power()
    os.kill(pid, signal.SIGKILL)  # what it says after the cut nobody would have heard
    os.close(read_end)
    os.waitpid(pid, 0)
    witness.saw(data)
    disk.umount()
    disk.mount()


def test_what_was_acknowledged_is_there_when_the_power_comes_back(disk: Disk) -> None:
    draw = random.Random(SEED)
    witness = driver.Witness(disk.mount_point / "data0")
    acknowledged = 0
    for number in range(CUTS):
        if number and number % 50 == 0:
            acknowledged += len(witness.acknowledged)
            subprocess.run(["rm", "-rf", str(witness.folder)], check=True)
            witness = driver.Witness(disk.mount_point / f"data{number}")
        cut(disk, witness, draw.randrange(1 << 30), draw.randrange(1, 200))
        try:
            witness.check()
        except BaseException as error:
            raise AssertionError(f"KORTANA_SEED={SEED}, power cut {number}: {error!r}") from error
    print(f"{CUTS} power cuts, {acknowledged + len(witness.acknowledged)} acknowledged, 0 lost")


def test_without_the_sync_of_a_commit_the_cut_is_noticed(disk: Disk) -> None:
    def forget_to_sync() -> None:
        journal_module._sync = lambda fd: None
        driver.background.BackgroundSync.open = NoSync  # type: ignore[assignment, method-assign]

    witness = driver.Witness(disk.mount_point / "data")
    with pytest.raises(AssertionError):
        for number in range(10):
            cut(disk, witness, number, 100, forget_to_sync)
            witness.check()
