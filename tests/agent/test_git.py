"""git is asked about the folder that is meant, whatever another git has put into the environment."""

from pathlib import Path

import pytest

from kortana.agent.git import environment_elsewhere, git


def test_a_hooks_environment_leads_to_no_other_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("meant", "other"):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init", "--quiet")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / "index"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    assert git(tmp_path / "meant", "rev-parse", "--show-toplevel") == str((tmp_path / "meant").resolve())
    assert {name for name in environment_elsewhere() if name.startswith("GIT_")} >= {"GIT_AUTHOR_NAME"}
    assert "GIT_DIR" not in environment_elsewhere()
