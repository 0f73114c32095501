"""Registration in each client's project configuration, and the way back."""

import json
import sys
import tomllib
from pathlib import Path

import pytest

from kortana.mcp.install import CODEX_FILE, InstallError, changed, install_main

FILES = {"claude": ".mcp.json", "gemini": ".gemini/settings.json", "opencode": "opencode.json", "codex": CODEX_FILE}


@pytest.mark.parametrize("client", sorted(FILES))
def test_what_was_there_stays_and_uninstall_takes_exactly_ours(client: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[client]
    assert install_main([client, "--root", str(tmp_path)]) == 0
    assert "kortana" in path.read_text()
    assert install_main([client, "--root", str(tmp_path), "--uninstall"]) == 0
    assert not path.exists(), "the file was ours alone"
    path.parent.mkdir(exist_ok=True)
    theirs = 'model = "x"\n\n[mcp_servers.other]\ncommand = "o"\n' if client == "codex" else json.dumps(
        {"theme": "dark", "mcpServers": {"other": {"command": "o"}}, "mcp": {"other": {"type": "local"}}}, indent=4
    ) + "\n"  # fmt: skip
    path.write_text(theirs)
    install_main([client, "--root", str(tmp_path)])
    after = tomllib.loads(path.read_text()) if client == "codex" else json.loads(path.read_text())
    servers = after["mcp_servers" if client == "codex" else "mcp" if client == "opencode" else "mcpServers"]
    assert set(servers) == {"other", "kortana"}
    if client == "codex":
        assert servers["kortana"] == {"command": "kortana", "args": ["mcp"], "required": True}
    once = path.read_text()
    install_main([client, "--root", str(tmp_path)])
    assert path.read_text() == once
    install_main([client, "--root", str(tmp_path), "--uninstall"])
    assert path.read_text() == theirs


def test_a_client_that_would_not_find_kortana_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install_main(["claude", "--root", str(tmp_path)]) == 0
    assert f"put {Path(sys.executable).parent} there" in capsys.readouterr().err
    (tmp_path / "kortana").write_text("")
    (tmp_path / "kortana").chmod(0o755)
    assert install_main(["claude", "--root", str(tmp_path)]) == 0
    assert install_main(["claude", "--root", str(tmp_path), "--uninstall"]) == 0
    assert capsys.readouterr().err == ""


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install_main(["claude", "--dry-run", "--root", str(tmp_path)])
    assert "kortana" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_a_file_that_is_not_what_it_should_be_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".mcp.json").write_text("{broken")
    with pytest.raises(InstallError, match="not JSON"):
        changed("claude", tmp_path, uninstall=False)
    assert install_main(["nobody"]) == 2
    assert install_main(["claude", "--root", str(tmp_path / "typo")]) == 2 and not (tmp_path / "typo").exists()


COMMENTED = """\
{
\t// our servers
\t"mcpServers": {
\t\t"other": {"command": "o", "args": ["a", "b"]}, /* in one line */
\t},
\t"big": 1E5,
}
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("client", ["gemini", "opencode"])
def test_comments_and_spacing_stay_as_they_are(client: str, newline: str, tmp_path: Path) -> None:
    path = tmp_path / FILES[client]
    path.parent.mkdir(exist_ok=True)
    text = COMMENTED.replace("\n", newline).encode()
    path.write_bytes(text)
    assert install_main([client, "--root", str(tmp_path)]) == 0
    after = path.read_bytes()
    assert after != text and after.count(b"\n") == after.count(newline.encode())
    kept = iter(after.split(b"\n"))
    assert all(line in kept for line in text.split(b"\n")), "every line is there, in its order"
    assert install_main([client, "--root", str(tmp_path), "--uninstall"]) == 0
    assert path.read_bytes() == text


def test_an_entry_that_a_person_has_changed_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / ".mcp.json"
    text = '{"mcpServers": {"kortana": {"command": "/opt/kortana", "args": ["mcp"]}}}'
    path.write_text(text)
    with pytest.raises(InstallError, match="another entry for kortana"):
        changed("claude", tmp_path, uninstall=False)
    assert path.read_text() == text
    assert install_main(["claude", "--root", str(tmp_path), "--uninstall"]) == 0
    assert not path.exists()


@pytest.mark.parametrize("text", [
    '[mcp_servers."kortana"]\ncommand = "k"\n', 'mcp_servers = { other = { command = "o" } }\n', "broken\n",
    'mcp_servers.kortana.command = "k"\n', "mcp_servers = 3\n",
])  # fmt: skip
def test_a_codex_file_that_a_further_table_would_break_is_left_alone(text: str, tmp_path: Path) -> None:
    path = tmp_path / CODEX_FILE
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InstallError, match="nothing was changed"):
        changed("codex", tmp_path, uninstall=False)


@pytest.mark.parametrize("text", ['a = 1', 'a = 1\n', 'a = 1\r\n', 'a = 1\n\n'])
def test_a_codex_file_is_as_it_was_after_uninstall(text: str, tmp_path: Path) -> None:
    path = tmp_path / CODEX_FILE
    path.parent.mkdir()
    path.write_bytes(text.encode())
    install_main(["codex", "--root", str(tmp_path)])
    assert tomllib.loads(path.read_bytes().decode())["mcp_servers"]["kortana"]["args"] == ["mcp"]
    install_main(["codex", "--root", str(tmp_path), "--uninstall"])
    assert path.read_bytes() == text.encode()


def test_a_link_stays_one_and_permissions_stay(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    real.chmod(0o640)
    (tmp_path / ".mcp.json").symlink_to(real)
    assert install_main(["claude", "--root", str(tmp_path)]) == 0
    assert (tmp_path / ".mcp.json").is_symlink() and "kortana" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640
