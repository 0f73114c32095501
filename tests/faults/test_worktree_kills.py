"""kill -9 at every point of an attempt in a git worktree: the next attempt merges, and nothing of the user's is lost.

The points are real ones in the midst of git: before and after each git command, and wherever git calls out with its
locks held and its work half done (the reference-transaction and post-index-change hooks, and a smudge filter at each
file that it checks out).
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.agent.checkout import Checkout
from kortana.agent.git import BusyCheckoutError, GitError
from kortana.agent.worktree import Worktree
from kortana.processes.tree import all_processes

GIT = shutil.which("git") or "git"
LONG = bool(os.environ.get("KORTANA_LONG"))
SLICE = 1 if LONG else 9
POINT = """\
#!/bin/sh
[ -n "$POINTS" ] || exit 0
echo x >> "$POINTS"
[ "$(wc -l < "$POINTS")" -eq "$KILL_AT" ] || exit 0
LEADER=$(ps -o pgid= -p $$)
eval "kill $SIGNAL"
"""
SHIM = """\
#!/bin/sh
"$POINT"
"$GIT" "$@"
code=$?
"$POINT"
exit $code
"""


class Repository:
    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self.tools = folder, tools
        self.env = {
            **os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "GIT": GIT, "POINT": str(tools / "point"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **{f"GIT_{who}_{what}": "t@t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }  # fmt: skip
        self._script("point", POINT)
        self._script("git", SHIM)
        for hook in ("reference-transaction", "post-index-change"):
            self._script(hook, '#!/bin/sh\nexec "$POINT"\n')
        self._script("smudge", '#!/bin/sh\n"$POINT"\nexec cat\n')
        self.git("init", "-q", "-b", "main")
        for key, value in (("core.hooksPath", str(tools)), ("filter.points.smudge", str(tools / "smudge"))):
            self.git("config", key, value)
        self.write(".gitattributes", "*.txt filter=points\nfile* filter=points\n")
        for name in ("edits.txt", "going.txt", "dirty", "staged", *(f"file{n}" for n in range(4))):
            self.write(name, f"{name}\n")
        self.git("add", "-A")
        self.git("commit", "-qm", "begin")
        self.write("dirty", "the user's\n")
        self.write("staged", "the user's too\n")
        self.git("add", "staged")
        self.write("untracked", "and this\n")
        self.status = self.git("status", "--porcelain")

    def _script(self, name: str, text: str) -> None:
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def git(self, *words: str) -> str:
        done = subprocess.run(
            [GIT, "-C", str(self.folder), *words], env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout

    def start(self, task: str, kill_at: int = 0, signal: str = "-9 0") -> "subprocess.Popen[str]":
        """Starts an attempt. signal: what is sent at a point, and to whom, as arguments of `kill`."""
        points = self.tools / "points"
        points.unlink(missing_ok=True)
        where = {"POINTS": str(points), "KILL_AT": str(kill_at), "SIGNAL": signal} if kill_at else {}
        words = [sys.executable, str(Path(__file__).with_name("merging.py")), str(self.folder), task]
        return subprocess.Popen(
            words, env={**self.env, **where}, text=True, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=open(self.tools / "stderr", "w"),
        )  # fmt: skip

    def attempt(self, task: str, kill_at: int = 0, signal: str = "-9 0") -> tuple[int, str]:
        """One attempt to its end: its exit code, and what it said."""
        code = self.start(task, kill_at, signal).wait(120)
        return code, (self.tools / "stderr").read_text()

    def check(self, merged: list[str]) -> None:
        assert self.git("status", "--porcelain") == self.status
        assert (self.folder / "dirty").read_text() == "the user's\n"
        assert (self.folder / "edits.txt").read_text().split() == ["edits.txt", *merged]
        assert sorted(path.name for path in (self.folder / "made").iterdir()) == sorted(merged)
        assert len(self.git("ls-tree", "--name-only", "HEAD").split()) == 10, "no file was taken for deleted"
        assert "kortana/" not in self.git("branch", "--list")
        assert len(self.git("worktree", "list").splitlines()) == 1
        assert not list((self.folder / ".git").rglob("*.lock")) or self.locks() == ["kortana.lock"]

    def intent(self) -> bytes:
        path = self.folder / ".git" / "kortana.lock"
        return path.read_bytes() if path.exists() else b""

    def checkout_locks(self) -> list[str]:
        """Of the checkout itself, not of the tasks' own worktrees and branches."""
        return [path.name for path in (self.folder / ".git").glob("*.lock")]

    def locks(self) -> list[str]:
        return [path.name for path in (self.folder / ".git").rglob("*.lock")]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    folder, tools = tmp_path / "r", tmp_path / "tools"
    folder.mkdir()
    tools.mkdir()
    found = Repository(folder, tools)
    for name, value in found.env.items():
        monkeypatch.setenv(name, value)
    yield found


def _end_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


FIRST_POINT = 1 + int(os.environ.get("KORTANA_SEED", "1")) % SLICE


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["t", "rewritten"])
def test_an_attempt_killed_anywhere_leaves_a_repository_in_which_the_next_one_merges(
    repository: Repository, kind: str
) -> None:
    merged: list[str] = []
    for point in itertools.count(FIRST_POINT, SLICE):
        task = f"{kind}{point}"
        code, said = repository.attempt(task, point)
        if code == 0:
            break
        assert code == -signal.SIGKILL, said
        code, said = repository.attempt(task)
        assert code == 0, f"point {point}: {said}"
        merged.append(task)
        repository.check(merged)
    print(f"killed at {len(merged)} of {point} points")
    assert len(merged) >= 50 // SLICE
    if kind == "rewritten":
        subjects = repository.git("log", "--format=%s").splitlines()
        assert sum(subject.startswith("Merge") for subject in subjects) == 1, "what was amended has not come back"


@pytest.mark.timeout(1800)
def test_a_git_that_outlives_its_adapter_for_a_moment_is_waited_for(repository: Repository) -> None:
    """As when the adapter alone is killed, and the launcher ends the rest of its tree when it sees that."""
    merged: list[str] = []
    checkout = Checkout(repository.folder)
    for point in itertools.count(FIRST_POINT, SLICE):
        first = repository.start(f"t{point}", point, "-9 $LEADER; sleep 0.1")
        if first.wait(120) == 0:
            break
        was_in_its_midst = bool(repository.intent())
        ending = threading.Timer(0.1 + 0.002 * (point % 10), _end_group, (first.pid,))
        ending.start()
        with checkout.changing(""):
            alive = [info.pid for info in all_processes().values() if info.session == first.pid]
            assert not (was_in_its_midst and alive), f"point {point}"
            assert set(repository.checkout_locks()) == {"kortana.lock"}, f"point {point}"
            assert repository.git("status", "--porcelain") == repository.status, f"point {point}"
        ending.join()
        for task in (f"beside{point}", f"t{point}"):
            code, said = repository.attempt(task)
            assert code == 0, f"point {point}: {said}"
        merged.append(f"t{point}")
    assert len(merged) >= 50 // SLICE
    made = {path.name for path in (repository.folder / "made").iterdir()}
    assert {*merged, *(f"beside{task[1:]}" for task in merged)} <= made
    assert repository.git("status", "--porcelain") == repository.status
    assert repository.locks() == ["kortana.lock"]


@pytest.mark.timeout(1800)
def test_an_attempt_that_is_asked_to_end_anywhere_leaves_the_checkout_whole(repository: Repository) -> None:
    for point in itertools.count(FIRST_POINT, SLICE):
        code, _ = repository.attempt(f"t{point}", point, "-15 $LEADER")
        assert repository.git("status", "--porcelain") == repository.status, f"point {point}"
        assert set(repository.checkout_locks()) <= {"kortana.lock"}, f"point {point}"
        assert repository.intent() == b"", f"point {point}"
        if code == 0:
            break
    print(f"asked to end at {point} points, or each {SLICE}th of them")
    assert point >= 50


@pytest.mark.parametrize("has_pointer", [True, False], ids=["with its .git", "without"])
def test_a_worktree_that_was_being_removed_is_not_gone_on_with(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, has_pointer: bool
) -> None:
    def cut_off(folder: Path) -> None:
        (folder / "file1").unlink()
        if not has_pointer:
            (folder / ".git").unlink()
        raise KeyboardInterrupt

    tree = Worktree(repository.folder, "a")
    (tree.folder / "made").write_text("x")
    assert tree.commit("a")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("kortana.agent.worktree.shutil.rmtree", cut_off)
        tree.merge("a")
    again = Worktree(repository.folder, "a")
    assert (again.folder / "file1").exists() and (again.folder / "made").exists()
    assert not again.commit("a"), "nothing is taken for deleted"
    again.discard()
    assert repository.git("status", "--porcelain") == repository.status


def test_a_conflict_never_touches_the_checkout(repository: Repository) -> None:
    tree = Worktree(repository.folder, "a")
    (tree.folder / "edits.txt").write_text("one\n")
    assert tree.commit("a")
    other = Worktree(repository.folder, "b")
    (other.folder / "edits.txt").write_text("another\n")
    assert other.commit("b") and other.merge("b") == ""
    before = repository.git("rev-parse", "HEAD")
    assert "CONFLICT (content): Merge conflict in edits.txt" in tree.merge("a")
    assert repository.git("rev-parse", "HEAD") == before
    assert repository.git("status", "--porcelain") == repository.status


def test_what_the_user_has_not_committed_is_not_overwritten(repository: Repository) -> None:
    tree = Worktree(repository.folder, "a")
    (tree.folder / "dirty").write_text("the task's\n")
    (tree.folder / "untracked").write_text("the task's\n")
    assert tree.commit("a")
    with pytest.raises(BusyCheckoutError, match="in the way: dirty, untracked"):
        tree.merge("a")
    assert (repository.folder / "dirty").read_text() == "the user's\n"
    assert (repository.folder / "untracked").read_text() == "and this\n"
    assert repository.git("status", "--porcelain") == repository.status


def test_what_was_edited_after_a_merge_was_cut_off_is_kept_aside(repository: Repository) -> None:
    tree = Worktree(repository.folder, "a")
    (tree.folder / "edits.txt").write_text("the task's\n")
    (tree.folder / "new.txt").write_text("the task's\n")
    tree.commit("a")
    checkout = Checkout(repository.folder)
    old, new = checkout.head(), repository.git("rev-parse", tree.branch).strip()
    with pytest.raises(KeyboardInterrupt), checkout.changing(tree.branch):
        checkout._intend(tree.branch, old, new)
        repository.write("edits.txt", "typed in between\n")
        repository.write("new.txt", "the task's\n")
        raise KeyboardInterrupt
    with checkout.changing(""):
        pass
    assert repository.git("status", "--porcelain") == repository.status
    rescued = repository.git("for-each-ref", "--format=%(refname)", "refs/kortana/rescued").strip()
    assert repository.git("show", f"{rescued}:edits.txt") == "typed in between\n"


def test_a_refusal_leaves_nothing_to_mend(repository: Repository) -> None:
    checkout = Checkout(repository.folder)
    with pytest.raises(GitError), checkout.changing("x"):
        raise GitError("no")
    assert repository.intent() == b""


def test_a_git_that_lives_keeps_its_lock(repository: Repository) -> None:
    """One made before our intent was written, or that changes while we look, is somebody's."""
    checkout = Checkout(repository.folder)
    theirs = repository.folder / ".git" / "index.lock"
    theirs.touch()
    os.utime(theirs, (1_700_000_000, 1_700_000_000))
    with contextlib.suppress(KeyboardInterrupt), checkout.changing("x"):
        raise KeyboardInterrupt
    with checkout.changing(""):
        assert theirs.exists()


def test_work_is_done_where_the_project_lies_in_the_repository(repository: Repository) -> None:
    (repository.folder / "sub").mkdir()
    tree = Worktree(repository.folder / "sub", "a")
    assert tree.place == tree.folder / "sub" and tree.place.is_dir()
    (tree.place / "made").write_text("x")
    assert tree.commit("a") and tree.merge("a") == ""
    assert (repository.folder / "sub" / "made").read_text() == "x"


def test_a_cut_off_merge_that_changed_no_file_takes_nothing_of_the_users_back(repository: Repository) -> None:
    checkout = Checkout(repository.folder)
    old = checkout.head()
    new = repository.git("commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "the same files").strip()
    with pytest.raises(KeyboardInterrupt), checkout.changing("x"):
        checkout._intend("x", old, new)
        raise KeyboardInterrupt
    with checkout.changing(""):
        assert repository.git("status", "--porcelain") == repository.status
