from pathlib import Path

import pytest

from kortana.transport.inside import is_own, token_for


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The socket of the Kortana whose worker `w` this process is."""
    socket = tmp_path / "kortana.sock"
    for name, value in {"AGENT": "w", "TOKEN": "secret", "SOCKET": str(socket)}.items():
        monkeypatch.setenv(f"KORTANA_{name}", value)
    return socket


def test_a_token_is_shown_to_the_kortana_that_gave_it_and_for_the_worker_it_was_given(worker: Path) -> None:
    assert token_for("w", str(worker)) == "secret"
    assert token_for("other", str(worker)) is None
    assert token_for("w", str(worker.with_name("other.sock"))) is None


def test_another_way_to_the_same_socket_is_the_same_kortana(worker: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert is_own(str(tmp_path / "link" / "kortana.sock"))


def test_who_was_given_no_token_is_no_worker(worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KORTANA_TOKEN")
    assert not is_own(str(worker))


def test_a_token_without_a_socket_is_for_whoever_listens(worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KORTANA_SOCKET")
    assert is_own("anywhere")
