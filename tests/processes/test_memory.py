"""How much memory a worker takes: real processes."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from kortana.processes.posix import rss_bytes

MIB = 1 << 20
HOLDER = "import sys; held = bytearray(64 << 20); print('up', flush=True); sys.stdin.read()"
STARTER = f"""
import subprocess, sys, threading
threading.Thread(target=subprocess.run, args=([sys.executable, "-c", {HOLDER!r}],)).start()
"""


@pytest.fixture
def starter() -> Iterator["subprocess.Popen[bytes]"]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", STARTER], **pipes) as process:  # type: ignore[call-overload]
        yield process


def test_what_a_worker_has_started_counts_also_by_another_thread(starter: "subprocess.Popen[bytes]") -> None:
    assert starter.stdout and starter.stdout.readline() == b"up\n"
    assert 64 * MIB < (rss_bytes(starter.pid) or 0) < 250 * MIB


def test_a_process_that_is_gone_has_none() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert rss_bytes(process.pid) is None
