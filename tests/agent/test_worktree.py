"""What agents do with the worktree of their task, beside editing in it: real git."""

import subprocess
from pathlib import Path

import pytest

from kortana.agent.git import GitError
from kortana.agent.worktree import Worktree

pytestmark = pytest.mark.timeout(120)


def git(folder: Path, *words: str, ok: bool = True) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True)
    assert not ok or done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "n")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "e")
    git(tmp_path, "init", "--quiet", "-b", "main")
    (tmp_path / "file").write_text("begin\n")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "begin")
    return tmp_path


def edit(folder: Path, text: str, name: str = "file", *, commit: bool = True) -> None:
    (folder / name).write_text(text)
    if commit:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", text.strip())


@pytest.mark.parametrize("away", [
    ("checkout", "--quiet", "-b", "feature"), ("checkout", "--quiet", "--detach"),
    ("branch", "-m", "kortana/t", "mine"), ("checkout", "--quiet", "-B", "feature", "main"),
], ids=["a branch of its own", "no branch", "renamed", "a branch from main"])  # fmt: skip
@pytest.mark.parametrize("commit", [True, False], ids=["committed", "left to us"])
def test_work_on_a_branch_of_the_agents_own_is_merged(repository: Path, away: tuple[str, ...], commit: bool) -> None:
    tree = Worktree(repository, "t")
    git(tree.folder, *away)
    edit(tree.folder, "done\n", commit=commit)
    assert tree.commit("t") and tree.changed() == ["file"]
    assert git(tree.folder, "symbolic-ref", "--short", "HEAD") == "kortana/t"
    assert tree.merge("Merge t") == "" and (repository / "file").read_text() == "done\n"
    assert not tree.folder.exists()


def test_a_head_that_is_left_behind_takes_nothing_away(repository: Path) -> None:
    tree = Worktree(repository, "t")
    edit(tree.folder, "done\n")
    git(tree.folder, "checkout", "--quiet", "HEAD~1")
    assert tree.commit("t") and tree.merge("Merge t") == "" and (repository / "file").read_text() == "done\n"


def test_work_that_does_not_come_from_its_branch_is_not_taken_for_none(repository: Path) -> None:
    git(repository, "branch", "other")
    edit(repository, "main goes on\n", "more")
    tree = Worktree(repository, "t")
    git(tree.folder, "checkout", "--quiet", "other")
    edit(tree.folder, "done\n")
    with pytest.raises(GitError, match="has gone to other, which does not come from kortana/t"):
        tree.commit("t")
    assert git(repository, "show", "other:file") == "done"


@pytest.fixture
def torn(repository: Path) -> Worktree:
    """A worktree whose branch and main have changed the same line."""
    tree = Worktree(repository, "t")
    edit(tree.folder, "ours\n")
    edit(repository, "theirs\n")
    return tree


def test_conflicts_that_an_agent_leaves_are_never_committed(repository: Path, torn: Worktree) -> None:
    git(torn.folder, "merge", "--quiet", "main", ok=False)
    with pytest.raises(GitError, match="conflicts are not resolved in file"):
        torn.commit("t")
    assert "<<<<<<<" in (torn.folder / "file").read_text() and git(repository, "show", "kortana/t:file") == "ours"
    edit(torn.folder, "both\n")
    assert torn.commit("t") and torn.merge("Merge t") == "" and (repository / "file").read_text() == "both\n"


def test_a_cherry_pick_of_several_that_an_agent_leaves_is_none_of_one(repository: Path, torn: Worktree) -> None:
    edit(repository, "more\n", "more")
    git(torn.folder, "cherry-pick", "main~1", "main", ok=False)
    edit(torn.folder, "both\n", commit=False)
    git(torn.folder, "add", "file")
    with pytest.raises(GitError, match="a cherry-pick or revert is not finished"):
        torn.commit("t")
    git(torn.folder, "-c", "core.editor=true", "cherry-pick", "--continue")
    assert torn.commit("t") and (torn.folder / "more").exists()


def test_a_rebase_that_an_agent_leaves_is_never_taken_for_the_whole(repository: Path, torn: Worktree) -> None:
    edit(torn.folder, "second\n", "second")
    git(torn.folder, "rebase", "main", ok=False)
    with pytest.raises(GitError, match="conflicts are not resolved"):
        torn.commit("t")
    (torn.folder / "file").write_text("both\n")
    git(torn.folder, "add", "file")
    with pytest.raises(GitError, match="a rebase is not finished"):
        torn.commit("t")
    git(torn.folder, "-c", "core.editor=true", "rebase", "--continue")
    assert torn.commit("t") and sorted(torn.changed()) == ["file", "second"]
