"""A merge beside a git of the person's in the same checkout, at each point where one may come between: real git."""

import itertools
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kortana.agent import checkout, files, worktree
from kortana.agent.checkout import Checkout
from kortana.agent.files import Files
from kortana.agent.git import BusyCheckoutError
from kortana.agent.merging import merged
from kortana.agent.worktree import Worktree
from tests.agent.repositories import done, edit, git, hook

pytestmark = pytest.mark.timeout(120)


def test_a_git_of_the_persons_that_holds_the_index_is_not_disturbed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = done(repository)
    lock = repository / ".git" / "index.lock"
    lock.touch()
    with monkeypatch.context() as patched, pytest.raises(BusyCheckoutError, match="another git is at work"):
        patched.setattr(files, "LOCK_TIMEOUT_S", 0.1)
        tree.merge("Merge t")
    assert lock.exists() and not (repository / "work").exists()
    lock.unlink()
    assert tree.merge("Merge t") == ""


@pytest.mark.parametrize("how", ["renames", "removes"])
def test_a_git_of_the_persons_that_holds_the_index_is_waited_for(
    repository: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    tree, wait, index = done(repository), Files._wait_for_the_lock, repository / ".git" / "index"
    lock = index.with_name("index.lock")
    shutil.copyfile(index, lock)

    def end() -> None:
        lock.replace(index) if how == "renames" else lock.unlink()

    def begin(files: Files, deadline: float) -> None:
        person = threading.Timer(0.05, end)
        person.start()
        wait(files, deadline + 60)
        person.join()

    monkeypatch.setattr(Files, "_wait_for_the_lock", begin)
    assert tree.merge("Merge t") == "" and (repository / "work").exists()
    assert git(repository, "status", "--porcelain") == ""


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


@pytest.mark.parametrize("times", [1, 10, 1_000_000], ids=["once", "often", "all the time"])
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
    if times <= 10:
        assert tree.merge("Merge t") == ""
        assert (repository / "mine").exists() and (repository / "work").exists()
    else:
        monkeypatch.setattr(worktree, "MERGE_TIMEOUT_S", 0.5)
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
    """A git of the person's has read which branch is checked out before it moves, and the index afterwards."""
    tree, times = done(released), itertools.count()

    def leave(*words: Any) -> None:
        if next(times) == 0:
            return
        git(released, "symbolic-ref", "HEAD", "refs/heads/release")
        git(released, "rm", "--quiet", "--cached", "newer")
        (released / "newer").unlink()
        edit(released, "the person's\n", "staged", commit=False)
        git(released, "add", "staged")

    monkeypatch.setattr(checkout, "wait_for_bystanders", leave)
    assert tree.merge("Merge t") == ""
    assert git(released, "show", "main:work") == "done" and git(released, "status", "--porcelain") == "A  staged"


def test_a_person_cannot_touch_the_index_between_the_files_of_a_merge_and_its_branch(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, move, refused = done(repository), Checkout._move_branch, []

    def commit(checkout: Checkout, branch: str, onto: str, old: str, new: str) -> bool:
        for words in (["add", "mine"], ["commit", "-qam", "mine"], ["rm", "-q", "file"]):
            theirs = subprocess.run(["git", "-C", str(repository), *words], capture_output=True, text=True)
            refused.append(theirs.returncode != 0 and "index.lock" in theirs.stderr)
        return move(checkout, branch, onto, old, new)

    edit(repository, "mine\n", "mine", commit=False)
    monkeypatch.setattr(Checkout, "_move_branch", commit)
    assert tree.merge("Merge t") == "" and git(repository, "status", "--porcelain") == "?? mine"
    assert refused == [True, True, True] and git(repository, "log", "-1", "--format=%s") == "Merge t"


@pytest.mark.parametrize("point", ["move", "follow"])
def test_the_index_of_a_merge_that_was_cut_off_is_held_until_all_is_mended(
    repository: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Or a git of the person's would take what the merge has brought for files that nobody knows."""
    lock, seen = repository / ".git" / "index.lock", []
    done(repository)
    if not (child := os.fork()):
        monkeypatch.setattr(Files, point, lambda *_: os._exit(9))
        try:
            Worktree(repository, "t").merge("Merge t")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9 and lock.exists()

    def looking(method: Callable[..., None]) -> Callable[..., None]:
        def look(*words: Any) -> None:
            seen.append(lock.exists())
            method(*words)

        return look

    monkeypatch.setattr(Files, "_lay_out", looking(Files._lay_out))
    monkeypatch.setattr(Files, "follow", looking(Files.follow))
    tree = Worktree(repository, "t")
    assert seen and all(seen) and not lock.exists()
    assert git(repository, "status", "--porcelain") == ""
    assert point == "follow" or tree.merge("Merge t") == ""
    assert (repository / "work").exists() and git(repository, "status", "--porcelain") == ""


LATE = """\
#!/bin/sh
head=.git/refs/heads/main before=$(cat .git/refs/heads/main)
echo up
while [ "$(cat $head)" = "$before" ]; do sleep 0.01; done
set -C
if (true > .git/index.lock) 2> /dev/null; then echo got it; else echo refused; fi
"""


def test_a_git_that_has_read_head_before_a_merge_and_wants_the_index_afterwards_does_not_get_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would take what has moved for staged, and along to another branch."""
    monkeypatch.setattr(checkout, "HELD_S", 60.0)
    tree, program = done(repository), tmp_path / "git"
    program.write_text(LATE)
    program.chmod(0o755)
    with subprocess.Popen([program], cwd=repository, stdout=subprocess.PIPE, text=True) as theirs:
        assert theirs.stdout and theirs.stdout.readline() == "up\n"
        assert tree.merge("Merge t") == "" and theirs.stdout.readline() == "refused\n"
    assert git(repository, "status", "--porcelain") == ""


def test_a_commit_that_was_under_way_when_a_merge_began_comes_before_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has done with the index, and waited for its editor, say."""
    edit(repository, "mine\n", "mine", commit=False)
    git(repository, "add", "mine")
    mine = git(repository, "commit-tree", git(repository, "write-tree"), "-p", "HEAD", "-m", "mine")
    tree, move, times = done(repository), Checkout._move_branch, itertools.count()

    def commit(checkout: Checkout, branch: str, onto: str, old: str, new: str) -> bool:
        if next(times) == 0:
            git(repository, "update-ref", "HEAD", mine)
        return move(checkout, branch, onto, old, new)

    monkeypatch.setattr(Checkout, "_move_branch", commit)
    assert tree.merge("Merge t") == "" and git(repository, "status", "--porcelain") == ""
    assert git(repository, "log", "--format=%s", "--first-parent") == "Merge t\nmine\nbegin"
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


def test_a_task_begins_from_the_branch_that_it_belongs_to_also_where_a_person_goes_elsewhere_right_then(
    released: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, times = Checkout.branch, itertools.count()

    def leave(checkout: Checkout) -> str:
        branch = read(checkout)
        if next(times) == 0:
            git(released, "checkout", "--quiet", "main")
        return branch

    git(released, "checkout", "--quiet", "release")
    with monkeypatch.context() as patched:
        patched.setattr(Checkout, "branch", leave)
        tree = Worktree(released, "t")
    assert tree.origin.belongs_to() == "release" and not (tree.folder / "newer").exists()
    assert git(released, "branch", "--show-current") == "main"


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
    began, old, wait, times = threading.Event(), index.read_bytes(), checkout.wait_for_bystanders, itertools.count()

    def begin(folder: Path, program: str, timeout_s: float) -> None:
        if next(times) == 1:
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
