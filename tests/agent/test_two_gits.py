"""A merge beside a git of the person's in the same checkout, at each point where one may come between: real git."""

import itertools
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from kortana.agent import checkout, worktree
from kortana.agent.checkout import BusyCheckoutError, Checkout
from kortana.agent.merging import merged
from kortana.agent.worktree import Worktree
from tests.agent.repositories import done, edit, git, hook

pytestmark = pytest.mark.timeout(120)


def test_a_git_of_the_persons_that_holds_the_index_is_not_disturbed(repository: Path) -> None:
    tree = done(repository)
    lock = repository / ".git" / "index.lock"
    lock.touch()
    with pytest.raises(BusyCheckoutError, match="another git is at work"):
        tree.merge("Merge t")
    lock.unlink()
    assert tree.merge("Merge t") == ""


def test_a_branch_that_a_git_of_the_persons_holds_stays_where_it_is_with_its_files(repository: Path) -> None:
    tree = done(repository)
    edit(repository, "the person's\n", "staged", commit=False)
    git(repository, "add", "staged")
    lock = repository / ".git" / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(BusyCheckoutError, match="another git is at work"):
        tree.merge("Merge t")
    assert git(repository, "status", "--porcelain") == "A  staged" and not (repository / "work").exists()
    lock.unlink()
    assert tree.merge("Merge t") == "" and git(repository, "status", "--porcelain") == "A  staged"


@pytest.mark.parametrize("times", [1, 100])
def test_a_person_may_commit_while_a_merge_is_made(
    repository: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    tree, commits = done(repository), iter(range(times))

    def slow(*words: Any) -> tuple[str, str]:
        found = merged(*words)
        for number in commits:
            edit(repository, f"{number}\n", "mine")
            break
        return found

    monkeypatch.setattr(worktree, "merged", slow)
    if times == 1:
        assert tree.merge("Merge t") == ""
        assert (repository / "mine").exists() and (repository / "work").exists()
    else:
        with pytest.raises(BusyCheckoutError, match="goes on all the time"):
            tree.merge("Merge t")
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize("late", [False, True], ids=["before its files", "before its branch"])
def test_a_person_may_go_elsewhere_while_a_merge_is_made(
    released: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    tree, move = done(released), Checkout._move_branch

    def leave(*words: Any) -> Any:
        if late:
            git(released, "symbolic-ref", "HEAD", "refs/heads/same")
            return move(*words)
        found = merged(*words)
        git(released, "checkout", "--quiet", "release")
        return found

    git(released, "branch", "same")
    if late:
        monkeypatch.setattr(Checkout, "_move_branch", leave)
    else:
        monkeypatch.setattr(worktree, "merged", leave)
    with pytest.raises(BusyCheckoutError, match="and kortana/t belongs to main"):
        tree.merge("Merge t")
    assert git(released, "status", "--porcelain") == "" and not (released / "work").exists()
    assert git(released, "log", "--all", "--merges", "--format=%s", "--branches") == ""
    monkeypatch.undo()


def test_what_a_merge_has_moved_does_not_go_along_to_another_branch(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git of the person's reads the index before it is moved, and moves HEAD afterwards."""
    tree, goes_back = done(released), Checkout._goes_back_to

    def leave(checkout: Checkout, commit: str) -> bool:
        git(released, "symbolic-ref", "HEAD", "refs/heads/release")
        git(released, "rm", "--quiet", "--cached", "newer")
        (released / "newer").unlink()
        edit(released, "the person's\n", "staged", commit=False)
        git(released, "add", "staged")
        return goes_back(checkout, commit)

    monkeypatch.setattr(Checkout, "_goes_back_to", leave)
    assert tree.merge("Merge t") == ""
    assert git(released, "show", "main:work") == "done" and git(released, "status", "--porcelain") == "A  staged"


@pytest.mark.parametrize("whole", [False, True], ids=["of its index before", "of what has moved"])
def test_a_person_may_commit_between_the_files_of_a_merge_and_its_branch(
    repository: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    tree, move, times = done(repository), Checkout._move_branch, itertools.count()

    def commit(checkout: Checkout, branch: str, onto: str, old: str, new: str) -> bool:
        if next(times) == 0:
            edit(repository, "mine\n", "mine", commit=False)
            if not whole:
                git(repository, "reset", "--quiet")
            git(repository, "add", "mine")
            git(repository, "commit", "--quiet", "-m", "mine")
        return move(checkout, branch, onto, old, new)

    monkeypatch.setattr(Checkout, "_move_branch", commit)
    assert tree.merge("Merge t") == "" and git(repository, "status", "--porcelain") == ""
    assert (repository / "work").exists() and (repository / "mine").exists()


@pytest.mark.parametrize("late", [False, True], ids=["before its branch", "with its branch"])
def test_a_rebase_that_begins_while_a_merge_is_made_cannot_take_it_back(
    repository: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    tree, move, state = done(repository), Checkout._move_branch, repository / ".git" / "rebase-merge"

    def begin_rebase(checkout: Checkout, branch: str, onto: str, old: str, new: str) -> bool:
        state.mkdir()
        (state / "orig-head").write_text(f"{old}\n")
        return move(checkout, branch, onto, old, new)

    with monkeypatch.context() as patched, pytest.raises(BusyCheckoutError, match="a rebase is under way"):
        patched.setattr(Checkout, "_move_branch", begin_rebase)
        if late:
            calls, under_way = itertools.count(), Checkout._under_way
            patched.setattr(Checkout, "_under_way", lambda self: "" if next(calls) < 2 else under_way(self))
        tree.merge("Merge t")
    assert git(repository, "log", "--format=%s") == "begin" and git(repository, "status", "--porcelain") == ""
    shutil.rmtree(state)
    assert tree.merge("Merge t") == "" and (repository / "work").exists()


def late_writer(repository: Path, command: str) -> None:
    """A git of the person's that has read what is there now, and writes it once the branch has moved."""
    shutil.copy(repository / ".git" / "index", repository / ".git" / "read-before")
    hook(repository, "reference-transaction", f"""\
grep -q refs/heads/main && [ "$1" = committed ] && [ -e .git/read-before ] || exit 0
{command}
rm -f .git/read-before""")


@pytest.mark.parametrize("what", ["added", "changed", "deleted"])
def test_an_index_that_a_person_has_read_before_a_merge_and_writes_after_it_is_brought_up(
    repository: Path, what: str
) -> None:
    edit(repository, "here\n", "staged")
    tree = Worktree(repository, "t")
    (tree.folder / "other").touch()
    if what == "deleted":
        (tree.folder / "file").unlink()
    else:
        edit(tree.folder, "done\n", "work" if what == "added" else "file", commit=False)
    assert tree.commit("t")
    edit(repository, "the person's\n", "staged", commit=False)
    git(repository, "add", "staged")
    late_writer(repository, "mv .git/read-before .git/index")
    assert tree.merge("Merge t") == "" and not (repository / ".git" / "read-before").exists()
    assert git(repository, "status", "--porcelain") == "M  staged"


def test_a_branch_that_a_person_has_set_back_to_where_it_was_read_is_merged_into_once_more(repository: Path) -> None:
    """As `git stash` does, and `git reset --hard`: they write the branch, whatever it is by then."""
    tree, before = done(repository), git(repository, "rev-parse", "HEAD")
    late_writer(repository, f"rm .git/read-before; git reset --quiet --hard {before}")
    assert tree.merge("Merge t") == ""
    assert git(repository, "show", "main:work") == "done" and git(repository, "status", "--porcelain") == ""
    assert len(git(repository, "log", "--merges", "--format=%s").splitlines()) == 1


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "waits for its user"])
def test_a_git_that_is_at_work_when_a_merge_is_whole_is_waited_for(
    repository: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    tree, index = done(repository), repository / ".git" / "index"
    began, old, wait = threading.Event(), index.read_bytes(), checkout.wait_for_bystanders

    def begin(folder: Path, program: str, timeout_s: float) -> None:
        began.set()
        wait(folder, program, 60.0 if ends else 0.0)

    monkeypatch.setattr(checkout, "wait_for_bystanders", begin)
    with subprocess.Popen(["git", "cat-file", "--batch"], cwd=repository, stdin=subprocess.PIPE) as theirs:

        def end() -> None:
            if began.wait(60) and ends:
                index.write_bytes(old)
                theirs.terminate()

        person = threading.Thread(target=end)
        person.start()
        assert tree.merge("Merge t") == ""
        person.join()
        theirs.terminate()
    assert git(repository, "show", "main:work") == "done" and git(repository, "status", "--porcelain") == ""
