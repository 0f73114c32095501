from pathlib import Path

import pytest

from tests.agent.repositories import edit, git, made


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's own, with nothing of this machine's configuration."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "n")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "e")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    return made(tmp_path / "repository")


@pytest.fixture
def released(repository: Path) -> Path:
    """A repository with a branch `release` that lacks what has come to main since."""
    git(repository, "branch", "release")
    edit(repository, "for the next one\n", "newer")
    return repository
