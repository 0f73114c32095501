"""Waiting for files with high numbers, as a tree with a thousand connections has them."""

import fcntl
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.processes.descriptors import wait_readable, wait_writable
from kortana.processes.watch import FolderWatch

HIGH = 1500


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard <= HIGH:
        pytest.skip(f"SKIPPED: only {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, HIGH + 100), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def raised(fd: int) -> int:
    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH)
    os.close(fd)
    return high


def test_a_pipe_with_a_high_number_is_waited_for() -> None:
    reader, writer = map(raised, os.pipe())
    assert wait_writable(writer, 0) and not wait_readable(reader, 0) and not wait_readable(reader, 0.01)
    os.write(writer, b"x")
    assert wait_readable(reader, None)
    os.read(reader, 1)
    os.close(writer)
    assert wait_readable(reader, 60), "its end is something to be read"
    os.close(reader)


def test_a_folder_is_watched_where_a_thousand_files_are_open(tmp_path: Path) -> None:
    filled = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        watch = FolderWatch(tmp_path)
        (tmp_path / "new").write_text("x")
        assert watch.wait(60) is True
        watch.close()
    finally:
        for fd in filled:
            os.close(fd)
