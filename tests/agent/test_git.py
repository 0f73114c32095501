"""git is asked about the folder that is meant, whatever another git has put into the environment."""

from pathlib import Path

import pytest

from kortana.agent.git import environment_elsewhere, git, succeeds
from kortana.agent.worktree import branch_of


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


@pytest.mark.parametrize("task", ["a", "a.b", "v1.2", "HEAD", "a..b", "a...", "x.lock", "x.lock.", "v1.", "a.locks"])
def test_every_task_has_a_branch_that_git_takes(task: str, tmp_path: Path) -> None:
    branch = branch_of(task)
    assert succeeds(tmp_path, "check-ref-format", "--branch", branch)
    assert branch.startswith("kortana/") and branch.removeprefix("kortana/").replace("%2E", ".") == task
    assert ("%" in branch) == (not succeeds(tmp_path, "check-ref-format", "--branch", f"kortana/{task}"))
