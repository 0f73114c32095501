"""What agents do with the worktree of their task, beside editing in it: real git."""

from pathlib import Path

import pytest

from kortana.agent.work import UnfitWorkError
from kortana.agent.worktree import Worktree
from tests.agent.repositories import edit, git, made

pytestmark = pytest.mark.timeout(120)


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
    with pytest.raises(UnfitWorkError, match="has gone to other, which does not come from kortana/t"):
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
    with pytest.raises(UnfitWorkError, match="conflicts are not resolved in file"):
        torn.commit("t")
    assert "<<<<<<<" in (torn.folder / "file").read_text() and git(repository, "show", "kortana/t:file") == "ours"
    edit(torn.folder, "both\n")
    assert torn.commit("t") and torn.merge("Merge t") == "" and (repository / "file").read_text() == "both\n"


def test_a_cherry_pick_of_several_that_an_agent_leaves_is_none_of_one(repository: Path, torn: Worktree) -> None:
    edit(repository, "more\n", "more")
    git(torn.folder, "cherry-pick", "main~1", "main", ok=False)
    edit(torn.folder, "both\n", commit=False)
    git(torn.folder, "add", "file")
    with pytest.raises(UnfitWorkError, match="a cherry-pick or revert is not finished"):
        torn.commit("t")
    git(torn.folder, "-c", "core.editor=true", "cherry-pick", "--continue")
    assert torn.commit("t") and (torn.folder / "more").exists()


def test_a_rebase_that_an_agent_leaves_is_never_taken_for_the_whole(repository: Path, torn: Worktree) -> None:
    edit(torn.folder, "second\n", "second")
    git(torn.folder, "rebase", "main", ok=False)
    with pytest.raises(UnfitWorkError, match="conflicts are not resolved"):
        torn.commit("t")
    (torn.folder / "file").write_text("both\n")
    git(torn.folder, "add", "file")
    with pytest.raises(UnfitWorkError, match="a rebase is not finished"):
        torn.commit("t")
    git(torn.folder, "-c", "core.editor=true", "rebase", "--continue")
    assert torn.commit("t") and sorted(torn.changed()) == ["file", "second"]


@pytest.mark.parametrize("replaced", [False, True], ids=["away", "a repository of its own"])
def test_without_the_git_file_of_its_worktree_an_agents_work_is_still_its_tasks(
    repository: Path, replaced: bool
) -> None:
    """git by itself would go up from there, and take in all that the person has not committed."""
    edit(repository, "the person's\n", commit=False)
    edit(repository, "not known\n", "new", commit=False)
    tree = Worktree(repository, "t")
    (tree.folder / ".git").unlink()
    if replaced:
        made(tree.folder)
    edit(tree.folder, "done\n", "work", commit=replaced)
    before = git(repository, "rev-parse", "main")
    assert tree.commit("t") and git(repository, "rev-parse", "main") == before
    assert git(repository, "show", "kortana/t:work") == "done"
    git(repository, "stash")
    assert tree.merge("Merge t") == "" and not tree.folder.exists()
    git(repository, "stash", "pop")
    assert (repository / "file").read_text() == "the person's\n" and (repository / "work").exists()


def test_an_agents_git_finds_no_repository_rather_than_the_persons(repository: Path) -> None:
    tree = Worktree(repository, "t")
    (tree.folder / ".git").unlink()
    (tree.folder / "deep").mkdir()
    assert git(tree.folder / "deep", "rev-parse", "--show-toplevel") == str(repository)
    ceiling = {"GIT_CEILING_DIRECTORIES": str(tree.ceiling)}
    assert git(tree.folder / "deep", "rev-parse", "--show-toplevel", ok=False, **ceiling) == ""


def test_a_worktree_that_git_has_forgotten_is_not_taken_for_one_without_work(repository: Path) -> None:
    tree = Worktree(repository, "t")
    edit(tree.folder, "done\n", commit=False)
    (tree.folder / ".git").unlink()
    git(repository, "worktree", "prune")
    with pytest.raises(UnfitWorkError, match="knows nothing"):
        tree.commit("t")
    assert not Worktree(repository, "t").is_kept


@pytest.mark.parametrize("added", [False, True], ids=["left to us", "committed by the agent"])
@pytest.mark.parametrize("begun", [False, True], ids=["without a commit", "with one"])
def test_a_repository_within_the_worktree_is_not_lost_with_it(repository: Path, added: bool, begun: bool) -> None:
    tree = Worktree(repository, "t")
    edit(tree.folder, "done\n", commit=False)
    nested = tree.folder / "app"
    nested.mkdir()
    git(nested, "init", "--quiet")
    edit(nested, "inside\n", commit=begun)
    if added:
        git(tree.folder, "add", "--all", ok=begun)
        git(tree.folder, "commit", "--quiet", "-m", "app", ok=begun)
    with pytest.raises(UnfitWorkError, match="app: a repository of its own"):
        tree.commit("t")
    assert (nested / "file").read_text() == "inside\n"
    if added and begun:
        git(tree.folder, "rm", "--cached", "--quiet", "app")
    (nested / ".git").rename(repository.parent / "away")
    assert tree.commit("t") and tree.merge("Merge t") == ""
    assert (repository / "app" / "file").read_text() == "inside\n"


@pytest.fixture
def with_submodule(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Worktree:
    """A worktree whose submodule `lib` is there."""
    for name, value in {"COUNT": "1", "KEY_0": "protocol.file.allow", "VALUE_0": "always"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    git(repository, "submodule", "--quiet", "add", str(made(repository.parent / "lib")), "lib")
    git(repository, "commit", "--quiet", "-m", "lib")
    tree = Worktree(repository, "t")
    git(tree.folder, "submodule", "--quiet", "update", "--init")
    return tree


def test_a_submodule_may_stay_as_it_is_or_follow_its_remote(repository: Path, with_submodule: Worktree) -> None:
    edit(with_submodule.folder, "done\n", commit=False)
    edit(repository.parent / "lib", "newer\n")
    git(with_submodule.folder / "lib", "pull", "--quiet", "origin", "main")
    assert with_submodule.commit("t") and sorted(with_submodule.changed()) == ["file", "lib"]
    assert with_submodule.merge("Merge t") == ""
    git(repository, "submodule", "--quiet", "update")
    assert (repository / "lib" / "file").read_text() == "newer\n"


@pytest.mark.parametrize("name", ["file", "new"])
def test_what_is_edited_within_a_submodule_is_not_lost(with_submodule: Worktree, name: str) -> None:
    edit(with_submodule.folder, "done\n", commit=False)
    edit(with_submodule.folder / "lib", "inside\n", name, commit=False)
    with pytest.raises(UnfitWorkError, match="within the submodule lib are not committed"):
        with_submodule.commit("t")
    assert with_submodule.changed() == ["file"], "what could be taken in is"


def test_commits_in_a_submodule_that_are_nowhere_else_are_not_lost(repository: Path, with_submodule: Worktree) -> None:
    lib = with_submodule.folder / "lib"
    edit(lib, "inside\n")
    with pytest.raises(UnfitWorkError, match="lib: a repository of its own, whose commits are nowhere else"):
        with_submodule.commit("t")
    git(lib, "push", "--quiet", "origin", "HEAD:refs/heads/theirs")
    assert with_submodule.commit("t") and with_submodule.merge("Merge t") == ""
    git(repository, "submodule", "--quiet", "update")
    assert (repository / "lib" / "file").read_text() == "inside\n"


def test_what_an_agent_has_stashed_and_forgotten_is_not_taken_for_no_work(repository: Path) -> None:
    tree = Worktree(repository, "t")
    edit(tree.folder, "done\n", commit=False)
    git(tree.folder, "stash")
    with pytest.raises(UnfitWorkError, match="in a stash: git stash pop"):
        tree.commit("t")
    git(tree.folder, "stash", "apply")
    assert tree.commit("t") and tree.merge("Merge t") == "", "what was taken up may be in the stash as well"


def test_a_persons_own_stash_is_none_of_an_agents(repository: Path) -> None:
    edit(repository, "the person's\n", commit=False)
    git(repository, "stash")
    assert not Worktree(repository, "t").commit("t")
