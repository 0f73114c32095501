"""Tasks' worktrees in the repositories that people have: real git."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kortana.agent.git import BusyCheckoutError, GitError, UnreadyRepositoryError
from kortana.agent.worktree import Worktree, _remove_folder
from tests.agent.repositories import done, edit, git, hook, made

pytestmark = pytest.mark.timeout(120)


def test_a_checkout_may_be_a_linked_worktree_itself(repository: Path) -> None:
    git(repository, "worktree", "add", "--quiet", "-b", "side", str(repository.parent / "side"))
    assert done(repository.parent / "side").merge("Merge t") == ""
    assert (repository.parent / "side" / "work").exists() and not (repository / "work").exists()


def test_a_checkout_may_belong_to_a_bare_repository(repository: Path) -> None:
    bare, checkout = repository.parent / "bare.git", repository.parent / "checkout"
    git(repository, "clone", "--quiet", "--bare", ".", str(bare))
    git(bare, "worktree", "add", "--quiet", str(checkout), "main")
    assert done(checkout).merge("Merge t") == "" and (checkout / "work").exists()


def test_the_folder_of_git_may_be_elsewhere(repository: Path) -> None:
    folder = repository.parent / "separate"
    git(repository.parent, "init", "--quiet", "-b", "main", "--separate-git-dir", "elsewhere", str(folder))
    assert done(made(folder)).merge("Merge t") == "" and (folder / "work").exists()


def test_a_sparse_checkout_takes_in_what_lies_outside_of_it(repository: Path) -> None:
    for name in ("in/file", "out/file"):
        edit(repository, "begin\n", name)
    git(repository, "sparse-checkout", "set", "in")
    tree = done(repository, "out/work")
    assert not (tree.folder / "out" / "file").exists()
    assert tree.merge("Merge t") == "" and git(repository, "status", "--porcelain") == ""
    assert git(repository, "show", "HEAD:out/work") == "done" and git(repository, "show", "HEAD:out/file") == "begin"


def test_nothing_is_merged_into_no_branch(repository: Path) -> None:
    """As into a tag that somebody looks at: it would be gone once a branch is checked out again."""
    git(repository, "checkout", "--quiet", "--detach")
    tree = done(repository)
    with pytest.raises(BusyCheckoutError, match="the checkout is on no branch, and kortana/t began from "):
        tree.merge("Merge t")
    assert not (repository / "work").exists()
    git(repository, "checkout", "--quiet", "main")
    assert tree.merge("Merge t") == "" and (repository / "work").exists()


def test_references_may_be_kept_in_a_table(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As git 2.45 and later can, of which all of this machine's tests run where GIT_DEFAULT_REF_FORMAT says so."""
    monkeypatch.setenv("GIT_DEFAULT_REF_FORMAT", "reftable")
    checkout = made(repository.parent / "table")
    if not (checkout / ".git" / "reftable").is_dir():
        pytest.skip("this git is older")
    (checkout / ".git" / "reftable" / "tables.list.lock").touch()
    Worktree(checkout, "first").discard()
    git(checkout, "checkout", "--quiet", "--detach")
    tree = done(checkout)
    with pytest.raises(BusyCheckoutError, match="on no branch"):
        tree.merge("Merge t")
    git(checkout, "checkout", "--quiet", "main")
    assert tree.merge("Merge t") == ""
    begin("cherry-pick", "other")(checkout)
    with pytest.raises(BusyCheckoutError, match="a cherry-pick is under way"):
        done(checkout, "more", "u").merge("Merge u")


def test_a_branch_without_work_goes_also_where_no_branch_is_checked_out(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    Worktree(repository, "t").discard()
    assert "kortana" not in git(repository, "branch", "--list")


def conflict(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "-b", "other")
    edit(repository, "other\n")
    git(repository, "checkout", "--quiet", "main")
    edit(repository, "main\n")


def bisect(repository: Path) -> None:
    for number in range(4):
        edit(repository, f"{number}\n")
    git(repository, "bisect", "start", "HEAD", "HEAD~3")


def begin(*words: str) -> Callable[[Path], None]:
    def conflicting(repository: Path) -> None:
        conflict(repository)
        git(repository, *words, ok=False)

    return conflicting


@pytest.mark.parametrize(("what", "begun", "over"), [
    ("merge", begin("merge", "other"), ("merge", "--abort")),
    ("merge", begin("merge", "-X", "ours", "--no-commit", "other"), ("merge", "--abort")),
    ("rebase", begin("rebase", "other"), ("rebase", "--abort")),
    ("cherry-pick", begin("cherry-pick", "other"), ("cherry-pick", "--abort")),
    ("revert", begin("revert", "--no-commit", "HEAD"), ("revert", "--abort")),
    ("bisection", bisect, ("bisect", "reset")),
])  # fmt: skip
def test_what_a_person_is_in_the_midst_of_is_left_alone(
    repository: Path, what: str, begun: Callable[[Path], None], over: tuple[str, ...]
) -> None:
    """They may go back to where they began, and what was merged meanwhile would be gone."""
    tree = done(repository)
    begun(repository)
    before = git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain")
    with pytest.raises(BusyCheckoutError, match=f"a {what} is under way"):
        tree.merge("Merge t")
    assert before == (git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain"))
    git(repository, *over)
    assert tree.merge("Merge t") == "" and (repository / "work").read_text() == "done\n"


@pytest.mark.parametrize("away", [("release",), ("-b", "mine"), ("--detach",)], ids=["release", "mine", "no branch"])
def test_a_task_is_merged_into_the_branch_that_it_began_from(released: Path, away: tuple[str, ...]) -> None:
    """A person may check another one out meanwhile: into a release, say, no task should bring all of main."""
    tree = done(released)
    git(released, "checkout", "--quiet", *away)
    before = git(released, "rev-parse", "HEAD")
    assert tree.commit("t") and tree.changed() == ["work"]
    with pytest.raises(BusyCheckoutError, match=r"the checkout is on .*, and kortana/t belongs to main: check"):
        tree.merge("Merge t")
    assert git(released, "rev-parse", "HEAD") == before
    git(released, "checkout", "--quiet", "main")
    assert tree.merge("Merge t") == "" and (released / "work").exists() and (released / "newer").exists()
    assert git(released, "config", "--get-regexp", "kortanafrom", ok=False) == ""


def test_a_task_that_began_on_no_branch_is_merged_where_what_it_began_from_is(released: Path) -> None:
    git(released, "checkout", "--quiet", "--detach")
    tree = done(released)
    git(released, "checkout", "--quiet", "release")
    with pytest.raises(BusyCheckoutError, match="the checkout is on release, and kortana/t began from "):
        tree.merge("Merge t")
    git(released, "checkout", "--quiet", "main")
    assert tree.merge("Merge t") == "" and (released / "work").exists()


def test_a_task_that_begins_within_a_bisection_begins_from_what_is_bisected(repository: Path) -> None:
    bisect(repository)
    tree = done(repository)
    assert (tree.folder / "file").read_text() == "3\n"
    git(repository, "bisect", "reset")
    assert tree.merge("Merge t") == "" and (repository / "file").read_text() == "3\n"


def test_a_task_that_begins_within_a_rebase_belongs_to_its_branch(repository: Path) -> None:
    begin("rebase", "other")(repository)
    tree = done(repository)
    edit(repository, "both\n", commit=False)
    git(repository, "add", "file")
    git(repository, "rebase", "--continue", GIT_EDITOR="true")
    git(repository, "checkout", "--quiet", "other")
    with pytest.raises(BusyCheckoutError, match="belongs to main"):
        tree.merge("Merge t")
    git(repository, "checkout", "--quiet", "main")
    assert tree.merge("Merge t") == "" and (repository / "file").read_text() == "both\n"


def test_a_task_without_changes_has_none_wherever_the_person_has_gone(released: Path) -> None:
    tree = Worktree(released, "t")
    git(released, "checkout", "--quiet", "release")
    assert not tree.commit("t")


def test_a_branch_that_a_person_has_merged_by_hand_is_merged(released: Path) -> None:
    tree = done(released)
    git(released, "checkout", "--quiet", "-b", "mine")
    git(released, "merge", "--quiet", "kortana/t")
    assert tree.is_merged(tree.tip())
    git(released, "checkout", "--quiet", "release")
    assert not tree.is_merged(tree.tip()), "but that may be anywhere"


def test_what_was_merged_is_so_wherever_the_person_has_gone(released: Path) -> None:
    tree = done(released)
    git(released, "merge", "--quiet", "kortana/t")
    git(released, "checkout", "--quiet", "release")
    assert tree.is_merged(tree.tip()) and not tree.is_merged("0" * 40)


def test_a_branch_of_an_agents_own_is_none_that_its_work_is_merged_into(repository: Path) -> None:
    tree = Worktree(repository, "t")
    git(tree.folder, "checkout", "--quiet", "-b", "feature")
    edit(tree.folder, "done\n")
    assert tree.commit("t") and not tree.is_merged(tree.tip())


def test_history_that_a_person_has_rewritten_meanwhile_stays_rewritten(repository: Path) -> None:
    edit(repository, "wrong\n", "message")
    tree = done(repository)
    git(repository, "commit", "--quiet", "--amend", "-m", "right")
    git(repository, "reflog", "expire", "--expire=now", "--all")
    assert tree.commit("t") and tree.follow() == "" and tree.merge("Merge t") == "" and (repository / "work").exists()
    assert "wrong" not in git(repository, "log", "--format=%s")


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("name", ["file", "work"], ids=["edited", "unknown to git"])
def test_what_is_not_committed_is_named_where_it_is_in_the_way(repository: Path, name: str, staged: bool) -> None:
    tree = done(repository, name)
    edit(repository, "the person's\n", name, commit=False)
    if staged:
        git(repository, "add", name)
    with pytest.raises(BusyCheckoutError, match=f"not committed in the checkout is in the way: {name}$"):
        tree.merge("Merge t")
    assert (repository / name).read_text() == "the person's\n"
    git(repository, "stash", "--include-untracked")
    assert tree.merge("Merge t") == "" and (repository / name).read_text().endswith("done\n")


def test_a_filter_that_fails_half_way_leaves_the_checkout_as_it_was(repository: Path) -> None:
    """git-lfs, say, while its server is away."""
    edit(repository, "* filter=fetched\n", ".gitattributes")
    tree = Worktree(repository, "t")
    for name in ("a", "file", "z"):
        edit(tree.folder, "done\n", name, commit=False)
    assert tree.commit("t")
    edit(repository, "mine\n", "mine", commit=False)
    git(repository, "add", "mine")
    for key, value in (("clean", "cat"), ("smudge", "test %f != z && cat"), ("required", "true")):
        git(repository, "config", f"filter.fetched.{key}", value)
    with pytest.raises(GitError, match="smudge filter fetched failed"):
        tree.merge("Merge t")
    assert git(repository, "status", "--porcelain") == "A  mine" and (repository / "file").read_text() == "begin\n"
    git(repository, "config", "filter.fetched.smudge", "cat")
    assert tree.merge("Merge t") == "" and git(repository, "status", "--porcelain") == "A  mine"


def test_a_post_merge_hook_is_run(repository: Path) -> None:
    hook(repository, "post-merge", 'echo "$1 $(git log -1 --format=%s)" > ../told; exit 3')
    assert done(repository).merge("Merge t") == "" and (repository.parent / "told").read_text() == "0 Merge t\n"


def test_hooks_that_need_a_person_do_not_keep_an_agents_work_back(repository: Path) -> None:
    for name in ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "post-merge"):
        hook(repository, name, "echo nobody is here; exec < /dev/tty; exit 1")
    assert done(repository).merge("Merge t") == ""


def test_a_post_checkout_hook_that_fails_is_told_and_no_reason_to_stop(repository: Path) -> None:
    hook(repository, "post-checkout", "touch prepared; echo cannot copy >&2; exit 3")
    tree = Worktree(repository, "t")
    assert "cannot copy" in tree.remark and (tree.folder / "prepared").exists()
    assert tree.commit("t") and tree.changed() == ["prepared"]


@pytest.mark.parametrize("script", ['rm "$(git rev-parse --git-dir)/index"; exit 3', "kill -9 $PPID"])
def test_a_worktree_that_git_could_not_make_is_not_gone_on_with(repository: Path, script: str) -> None:
    hook(repository, "post-checkout", script)
    with pytest.raises(GitError):
        Worktree(repository, "t")


def test_who_commits_is_known_before_any_work(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(repository, "config", "user.useConfigOnly", "true")
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{name}_EMAIL")
    with pytest.raises(UnreadyRepositoryError, match=r"in whose name to commit: git config user.name, user.email"):
        Worktree(repository, "t")
    git(repository, "config", "user.email", "e")
    Worktree(repository, "t")


NOBODY = 65534


@pytest.fixture
def nobodys() -> Iterator[Path]:
    """A folder of somebody who is not root, and therefore not above permissions."""
    before = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        if before == 0:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        yield Path(name)
        os.seteuid(before)


def test_folders_that_their_owner_may_not_write_to_are_removed_too(nobodys: Path) -> None:
    folder, outside = nobodys / "tree", nobodys / "outside"
    for path in (outside, folder / "cache" / "module"):
        path.mkdir(parents=True)
        (path / "file").touch()
    (folder / "cache" / "link").symlink_to(outside)
    for path in (folder / "cache" / "module", folder / "cache", outside):
        path.chmod(0o555)
    _remove_folder(folder)
    assert not folder.exists() and outside.stat().st_mode & 0o777 == 0o555 and (outside / "file").exists()
    outside.chmod(0o755)
