"""What a service manager is told."""

import socket
from pathlib import Path

import pytest

from kortana.processes.notify import Notifier


def test_a_manager_that_does_not_read_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "s"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
        notifier = Notifier()
        for number in range(2000):
            notifier.tell(f"STATUS={number}")
        assert manager.recv(100) == b"STATUS=0"
