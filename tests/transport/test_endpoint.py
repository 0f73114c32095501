"""Where the socket stands: in the data folder, or where it can."""

import errno
import json
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kortana.transport.endpoint import find_socket, listen_for, why_not_listen_in
from kortana.transport.reached import reached


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path, as sockets need it."""
    with tempfile.TemporaryDirectory(prefix="k") as folder:
        yield Path(folder)


@pytest.fixture
def temp(short: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The owner's temp folder."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(_folder(short / "temp")))
    return short / "temp"


def _listens(run: Path) -> Path:
    path, listener = listen_for(run)
    with listener, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    return path


def _folder(path: Path) -> Path:
    path.mkdir(mode=0o700, parents=True)
    return path


def test_it_stands_in_the_data_folder(short: Path, temp: Path) -> None:
    run = _folder(short / "run")
    assert _listens(run) == run / "kortana.sock"
    assert [path.name for path in run.iterdir()] == ["kortana.sock"] and why_not_listen_in(run) == ""


def test_a_path_that_is_too_long_gets_a_short_one_always_the_same(short: Path, temp: Path) -> None:
    run = _folder(short / ("long" * 30))
    assert "too long" in why_not_listen_in(run)
    path = _listens(run)
    assert path.parent.parent == temp and _listens(run) == path


def test_a_file_system_without_sockets_gets_one_elsewhere(
    short: Path, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As exFAT does it: an error, and an empty file under the name."""
    run = _folder(short / "run")
    bind = socket.socket.bind

    def refuse(sock: socket.socket, address: Any) -> None:
        if Path(address).parent == run:
            Path(address).touch()
            raise OSError(errno.EIO, "Input/output error")
        bind(sock, address)

    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert why_not_listen_in(run) == "no socket can stand in the data folder (Input/output error)"
    assert _listens(run).parent.parent == temp and list(run.iterdir()) == []


def test_a_socket_beside_its_endpoint_file_is_reached_there(tmp_path: Path, short: Path) -> None:
    """Whoever wrote the file may call the folder otherwise: it is mounted there, or was moved."""
    run = _folder(short / "run")

    def found(said: object) -> str | None:
        (run / "endpoint.json").write_text(json.dumps({"socket": said}))
        return find_socket(run)

    assert found("/srv/project/data/run/kortana.sock") == str(run / "kortana.sock")
    assert found("/tmp/kortana-0-abc/kortana.sock") == "/tmp/kortana-0-abc/kortana.sock"
    assert found(None) is None
    (run / "endpoint.json").unlink()
    assert find_socket(run) is None
    long = str(tmp_path / ("x" * 120) / "run")
    assert reached(long, "/srv/run/kortana.sock") == "/srv/run/kortana.sock", "no socket could have that path"
