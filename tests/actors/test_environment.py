"""What stands in an env_file that cannot be used: named by file and line, and never waited for."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from kortana.actors.environment import MAX_FILE_BYTES, EnvFileError, read_env_file, worker_environment
from kortana.config.spec import WorkerSpec

pytestmark = pytest.mark.timeout(30)


def test_lines_comments_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("# a comment\n\nexport A=1\nB='two words'\nC = \"x=y\"\n")
    assert read_env_file(path) == {"A": "1", "B": "two words", "C": "x=y"}


def test_what_other_programs_write_and_read_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", "outside")
    path = tmp_path / "env"
    path.write_text(
        "\ufeffKEY=abc # of the test account\nHASH=a#b\nQUOTED='a # b' # c\nEMPTY=\nPEM=\"-----BEGIN\nxyz\n-----END\"\n"
        "URL=https://${KEY}.${FROM_OUTSIDE}/${NONE:-none}\nPLAIN=$KEY\nTAB=\"a\\tb\"\n"
    )
    assert read_env_file(path) == {
        "KEY": "abc", "HASH": "a#b", "QUOTED": "a # b", "EMPTY": "", "PEM": "-----BEGIN\nxyz\n-----END",
        "URL": "https://abc.outside/none", "PLAIN": "$KEY", "TAB": "a\tb",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("A=1\nB\n", ":2: KEY=value"), ("A=b\0c\n", ":1: a NUL"), ("\n\nA B=1\n", ":3: KEY=value"),
        ("A=1\n\nB='open\n", ":3: KEY=value"), ("A-B=1\n", ":1: KEY=value"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_used(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "env"
    path.write_text(text)
    with pytest.raises(EnvFileError, match=what):
        read_env_file(path)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["${", "${:", "${a:-", "${a", "'", '"', "\\'", '\\"', "\\", " #", "\n"])
@pytest.mark.parametrize("begin", ["A=", "A='", 'A="'])
@pytest.mark.parametrize("end", ["", "}", ":x}"])
def test_no_file_holds_kortana_up(tmp_path: Path, begin: str, piece: str, end: str) -> None:
    path = tmp_path / "env"
    path.write_text(begin + piece * ((MAX_FILE_BYTES - 10) // len(piece)) + end)
    try:
        read_env_file(path)
    except EnvFileError as error:
        assert ": KEY=value is needed" in str(error)


def test_a_worker_finds_kortana(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def path_with(path: str, **spec: Any) -> str:
        monkeypatch.setenv("PATH", path)
        found = worker_environment(WorkerSpec("w", **spec), "w", 1, "token", "p", "socket", "run")["PATH"]
        return found.replace(str(Path(sys.executable).parent), "OURS")

    other = tmp_path / "kortana"
    other.write_text("")
    other.chmod(0o755)
    assert path_with("/nowhere:/bin") == "/nowhere:/bin:OURS"
    assert path_with(f"/nowhere:{tmp_path}") == f"/nowhere:{tmp_path}", "there is one already"
    assert path_with("/nowhere", env={"PATH": "/mine"}) == "/mine", "what a person has said"


def test_a_pipe_or_an_endless_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    for path in (tmp_path / "pipe", tmp_path / "long", tmp_path, Path("/dev/zero")):
        with pytest.raises(EnvFileError, match="a file of at most"):
            read_env_file(path)


def test_pwd_is_the_folder_of_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs trust it; a shell's, from where Kortana was started, leads elsewhere."""
    monkeypatch.setenv("PWD", "/somewhere")

    def pwd(**spec: Any) -> str:
        return worker_environment(WorkerSpec("w", cwd=str(tmp_path), **spec), "w", 1, "t", "p", "s", "r")["PWD"]

    assert pwd() == str(tmp_path) and pwd(env={"PWD": "/mine"}) == "/mine"
