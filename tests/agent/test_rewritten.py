"""A person amends, rebases or drops what a task's branch has begun from, while its agent is at work."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kortana.agent.git import BusyCheckoutError, GitError
from kortana.agent.prompt import told_of_earlier
from kortana.agent.worktree import Worktree
from tests.agent.repositories import done, edit, git, hook


def amend(repository: Path) -> None:
    edit(repository, "second draft\n", "draft", commit=False)
    git(repository, "commit", "--quiet", "--all", "--amend", "--message", "second draft")


def drop(repository: Path) -> None:
    git(repository, "reset", "--quiet", "--hard", "HEAD^")


def pull_by_rebase(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "theirs", "HEAD^")
    edit(repository, "theirs\n", "theirs")
    git(repository, "checkout", "--quiet", "main")
    git(repository, "rebase", "--quiet", "theirs")
    git(repository, "branch", "--quiet", "-D", "theirs")


@pytest.fixture
def drafted(repository: Path) -> Path:
    """A repository whose last commit its person will have second thoughts of."""
    edit(repository, "first draft\n", "draft")
    return repository


@pytest.mark.parametrize(("rewrite", "log"), [
    (amend, ["begin", "second draft", "t"]), (drop, ["begin", "t"]),
    (pull_by_rebase, ["begin", "theirs", "first draft", "t"]),
])  # fmt: skip
def test_a_task_brings_nothing_back_of_what_was_rewritten(
    drafted: Path, rewrite: Callable[[Path], None], log: list[str]
) -> None:
    tree = done(drafted)
    rewrite(drafted)
    assert tree.follow() == "" and tree.has_more() and tree.changed() == ["work"]
    assert tree.merge("Merge t") == ""
    assert git(drafted, "log", "--no-merges", "--topo-order", "--reverse", "--format=%s").splitlines() == log
    assert git(drafted, "show", "HEAD:work") == "done" and git(drafted, "status", "--porcelain") == ""


def test_several_commits_of_an_agent_come_along_each(drafted: Path) -> None:
    tree = Worktree(drafted, "t")
    for name in ("one", "two"):
        edit(tree.folder, f"{name}\n", name)
    edit(tree.folder, "three\n", "three", commit=False)
    assert tree.commit("three")
    amend(drafted)
    assert tree.follow() == "" and tree.changed() == ["one", "three", "two"]
    assert git(drafted, "log", "--reverse", "--format=%s", "main..kortana/t").splitlines() == ["one", "two", "three"]
    assert git(tree.folder, "status", "--porcelain") == ""
    assert git(tree.folder, "branch", "--show-current") == "kortana/t"


def test_the_agents_conflict_with_it_is_the_agents_to_resolve(drafted: Path) -> None:
    tree = Worktree(drafted, "t")
    edit(tree.folder, "the agent's draft\n", "draft", commit=False)
    assert tree.commit("t")
    amend(drafted)
    tip = tree.tip()
    assert tree.follow() == "what it began from has been rewritten, and conflicts with its changes in draft"
    assert tree.tip() == tip and git(tree.folder, "status", "--porcelain") == ""

    again = Worktree(drafted, "t")
    assert again.is_kept
    told = told_of_earlier({"attempts": 1, "result": {"merged": False}}, again)
    found = re.search(r"run `git (rebase --onto \w+ \w+)` here, resolve the conflicts, and finish it", told)
    assert found
    git(again.folder, *found[1].split(), ok=False)
    edit(again.folder, "both drafts\n", "draft", commit=False)
    git(again.folder, "add", "draft")
    git(again.folder, "-c", "core.editor=true", "rebase", "--continue")
    assert again.commit("t") and again.follow() == "" and again.changed() == ["draft"]
    assert again.merge("Merge t") == "" and git(drafted, "show", "HEAD:draft") == "both drafts"
    told = git(drafted, "log", "--no-merges", "--topo-order", "--format=%s")
    assert told.splitlines() == ["t", "second draft", "begin"]


def test_a_change_that_a_person_has_made_as_well_is_none_any_more(drafted: Path) -> None:
    tree = done(drafted)
    edit(drafted, "done\n", "work", commit=False)
    amend(drafted)
    git(drafted, "add", "work")
    git(drafted, "commit", "--quiet", "--amend", "--no-edit")
    assert tree.follow() == "" and not tree.has_more()


def test_what_is_rewritten_between_is_not_merged_either(drafted: Path) -> None:
    tree = done(drafted)
    assert tree.follow() == ""
    drop(drafted)
    with pytest.raises(GitError, match="main has just been rewritten"):
        tree.merge("Merge t")
    assert tree.follow() == "" and tree.merge("Merge t") == ""
    assert git(drafted, "ls-files").split() == ["file", "work"]


def test_a_persons_settings_and_hooks_for_rebasing_are_not_the_tasks(drafted: Path) -> None:
    for key in ("rebase.autoSquash", "rebase.autoStash", "rebase.updateRefs", "rebase.rebaseMerges"):
        git(drafted, "config", key, "true")
    git(drafted, "config", "rebase.backend", "apply")
    tree = done(drafted)
    git(drafted, "branch", "kept", "kortana/t")
    for name in ("pre-rebase", "post-rewrite", "post-checkout"):
        hook(drafted, name, "exit 1")
    git(drafted, "-c", "core.hooksPath=/dev/null", "reset", "--quiet", "--hard", "HEAD^")
    assert tree.follow() == "" and tree.changed() == ["work"]
    assert "draft" in git(drafted, "ls-tree", "--name-only", "kept").split()


def test_a_worktree_that_was_being_moved_is_not_gone_on_with(drafted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that the new commits have, and HEAD has not, would pass for the agent's."""
    def cut_off(*_: object) -> str:
        (tree.folder / "half").write_text("of the new commit\n")
        (Path(git(tree.folder, "rev-parse", "--absolute-git-dir")) / "rebase-merge").mkdir()
        raise KeyboardInterrupt

    tree = done(drafted)
    drop(drafted)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("kortana.agent.worktree.Work.rebase", cut_off)
        tree.follow()
    again = Worktree(drafted, "t")
    assert not again.is_kept and again.commit("t")
    assert again.follow() == "" and again.changed() == ["work"]


@pytest.mark.parametrize("there", ["main", "release"])
def test_what_began_on_no_branch_follows_the_one_that_had_it(released: Path, there: str) -> None:
    edit(released, "first draft\n", "draft")
    git(released, "checkout", "--quiet", "--detach")
    tree = done(released)
    git(released, "checkout", "--quiet", "main")
    amend(released)
    git(released, "checkout", "--quiet", there)
    if there == "release":
        assert tree.follow() == "" and "release" not in tree.remedy()
        with pytest.raises(BusyCheckoutError, match="check out what has that"):
            tree.merge("Merge t")
        git(released, "checkout", "--quiet", "main")
    assert tree.follow() == "" and tree.merge("Merge t") == ""
    assert git(released, "log", "--no-merges", "--topo-order", "--format=%s").splitlines()[:2] == ["t", "second draft"]


@pytest.mark.parametrize("by_agent", [False, True], ids=["moved by us", "by the agent"])
def test_what_is_rewritten_again_is_followed_again(drafted: Path, by_agent: bool) -> None:
    tree = done(drafted)
    for text in ("second", "third"):
        edit(drafted, f"{text} draft\n", "draft", commit=False)
        git(drafted, "commit", "--quiet", "--all", "--amend", "--message", f"{text} draft")
        if by_agent:
            git(tree.folder, *tree.remedy().split()[1:])
        else:
            assert tree.follow() == ""
        edit(drafted, "of that day\n", text)
    git(drafted, "reset", "--quiet", "--hard", "HEAD~2")
    assert tree.follow() == "" and tree.merge("Merge t") == ""
    told = git(drafted, "log", "--no-merges", "--topo-order", "--format=%s")
    assert told.splitlines() == ["t", "second draft", "begin"]


def test_what_an_agent_has_merged_and_is_rewritten_then_does_not_come_back(drafted: Path) -> None:
    tree = Worktree(drafted, "t")
    edit(tree.folder, "the agent's\n", "file", commit=False)
    assert tree.commit("t")
    edit(drafted, "the person's\n", "file")
    assert "CONFLICT" in tree.merge("Merge t")
    git(tree.folder, *tree.remedy().split()[1:], ok=False)
    edit(tree.folder, "both\n", "file", commit=False)
    git(tree.folder, "commit", "--quiet", "--all", "--no-edit")
    git(drafted, "reset", "--quiet", "--hard", "HEAD^")
    assert tree.commit("t") and tree.follow() == "" and tree.merge("Merge t") == ""
    assert git(drafted, "show", "HEAD:file") == "the agent's"
    assert git(drafted, "log", "--no-merges", "--format=%s").count("the person's") == 0


def test_a_git_that_fails_leaves_all_as_it_was(drafted: Path) -> None:
    tree = done(drafted)
    drop(drafted)
    git(drafted, "config", "commit.gpgSign", "true")
    git(drafted, "config", "gpg.program", "false")
    with pytest.raises(GitError, match="gpg failed to sign"):
        tree.follow()
    git(drafted, "config", "commit.gpgSign", "false")
    again = Worktree(drafted, "t")
    assert again.is_kept and again.commit("t")
    assert again.follow() == "" and again.changed() == ["work"]


@pytest.mark.parametrize("amended", [False, True])
def test_a_branch_that_has_another_name_now_is_the_same_one(drafted: Path, amended: bool) -> None:
    tree = done(drafted)
    git(drafted, "branch", "--move", "main", "trunk")
    if amended:
        amend(drafted)
    assert tree.follow() == "" and tree.origin.belongs_to() == "trunk" and tree.merge("Merge t") == ""
    assert git(drafted, "show", "trunk:work") == "done"
    assert ("first draft" in git(drafted, "log", "--format=%s")) is not amended


def test_a_branch_that_was_merged_and_deleted_is_not_waited_for(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature")
    edit(repository, "a feature\n", "feature")
    tree = done(repository)
    git(repository, "checkout", "--quiet", "main")
    with pytest.raises(BusyCheckoutError, match="belongs to feature"):
        tree.merge("Merge t")
    git(repository, "merge", "--quiet", "--no-ff", "--no-edit", "feature")
    git(repository, "branch", "--quiet", "--delete", "feature")
    assert tree.follow() == "" and tree.merge("Merge t") == "" and git(repository, "show", "main:work") == "done"


def test_what_begins_in_the_midst_of_a_rebase_is_not_moved_before_that_is_over(drafted: Path) -> None:
    """Until then, the branch is what it was before."""
    edit(drafted, "one more\n", "more")
    git(drafted, "-c", "sequence.editor=sed -i 1s/pick/edit/", "rebase", "--quiet", "--interactive", "HEAD~2")
    amend(drafted)
    tree = done(drafted)
    with pytest.raises(BusyCheckoutError, match="a rebase is under way"):
        tree.follow()
    git(drafted, "rebase", "--continue")
    assert tree.follow() == "" and tree.merge("Merge t") == ""
    told = git(drafted, "log", "--no-merges", "--topo-order", "--reverse", "--format=%s").splitlines()
    assert told == ["begin", "second draft", "one more", "t"] and git(drafted, "show", "HEAD:work") == "done"
