"""What speaks against a worker's readiness, in words that name the cause."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kortana.actors.probes import Probe, ask_command, ask_http, ask_tcp, why_not_ready
from kortana.config.spec import ReadySpec

pytestmark = pytest.mark.timeout(60)


@contextmanager
def server(answer: bytes) -> Iterator[int]:
    """Gives every connection the same answer, after its first words, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(1000)
                    peer.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""), (b"HTTP/1.1 503 Busy\r\n\r\n", "status 503"),
        (b"\x00\x1b[2J\r\n", "??[2J??"), (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101, "got more than 100 headers"),
    ],
)  # fmt: skip
def test_what_came_instead_of_a_page(answer: bytes, said: str) -> None:
    with server(answer) as port:
        assert ask_http(f"http://127.0.0.1:{port}/", 30) == said


def test_the_worker_itself_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a proxy of the person's, nor where it sends its visitors."""
    nobody = f"http://127.0.0.1:{free_port()}/"
    monkeypatch.setenv("http_proxy", nobody)
    monkeypatch.setenv("no_proxy", "")
    for answer in (b"HTTP/1.1 204 None\r\n\r\n", f"HTTP/1.1 302 Found\r\nLocation: {nobody}\r\n\r\n".encode()):
        with server(answer) as port:
            assert ask_http(f"http://127.0.0.1:{port}/", 30) == ""


def test_nobody_there() -> None:
    port = free_port()
    assert ask_tcp("127.0.0.1", port, 30) == "Connection refused"
    assert "Connection refused" in ask_http(f"http://127.0.0.1:{port}/", 30)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("true",), ""), (("sh", "-c", "exit 3"), "exit code 3"),
        (("no-such",), "cannot run no-such: No such file or directory"),
    ],
)  # fmt: skip
def test_how_a_command_ended(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    assert ask_command(words, str(tmp_path), {"PATH": "/usr/bin:/bin"}, 30) == said


def test_what_was_waited_for_is_named(tmp_path: Path) -> None:
    ready = ReadySpec(type="tcp", host="127.0.0.1", port=free_port(), timeout=0.5)
    probe = Probe(ready, str(tmp_path), {}, lambda: None)
    probe.start()
    probe._thread.join(30)
    assert why_not_ready(ready, probe) == f"the last probe of 127.0.0.1:{ready.port}: Connection refused"
    assert why_not_ready(ReadySpec(type="log", pattern="up"), None) == "no line of its output matched 'up'"
