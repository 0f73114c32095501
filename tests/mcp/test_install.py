"""Registration in each client's project configuration, and the way back."""

import json
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


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install_main(["claude", "--dry-run", "--root", str(tmp_path)])
    assert "kortana" in capsys.readouterr().out and not list(tmp_path.iterdir())


def test_a_file_that_is_not_what_it_should_be_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".mcp.json").write_text("{broken")
    with pytest.raises(InstallError, match="not JSON"):
        changed("claude", tmp_path, uninstall=False)
    assert install_main(["nobody"]) == 2
