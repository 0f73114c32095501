"""The repository's own checkout, which several adapters change: one at a time, and wholly or not at all.

git itself is not safe against kill -9: it leaves `index.lock`, which stops every later git, and a work tree half way
between two commits. So each change says beforehand what it is about to do, in the file that is the lock; who gets the
lock after a holder that died finds it there, and mends.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kortana.agent.files import AT_WORK, Files
from kortana.agent.git import (
    FILES_TIMEOUT_S,
    BusyCheckoutError,
    GitError,
    GitInterruptedError,
    UnreadyRepositoryError,
    git,
    said,
    succeeds,
)
from kortana.agent.stale import drop_stale, found_stale, reftable_locks
from kortana.processes.bystanders import wait_for_bystanders
from kortana.processes.lock import IntentLock
from kortana.processes.offspring import wait_for_session
from kortana.processes.posix import signals_held

TREE_END_S = 10.0
"""How long is waited for what a dead holder has left running."""
HELD_S = 0.5
"""How long the index is held beyond a move, for each git that may have read before it which commit is checked out: it
ends when it wants the index."""
GITS_TIMEOUT_S = 2.0
"""How long is waited for those that have not wanted it by then. One that waits for its user, in an editor or a pager,
writes nothing that it has read before, or finds that the branch has moved."""
MOST_TIPS = 1000
"""That a branch has had before, and that are looked at."""
UNDER_WAY = {
    "MERGE_HEAD": "merge", "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert", "rebase-merge": "rebase",
    "rebase-apply": "rebase", "sequencer": "cherry-pick or revert", "BISECT_START": "bisection",
}  # fmt: skip
"""What stands in git's folder of a checkout → what its person is in the midst of, and may go back from."""


class Intent(msgspec.Struct, frozen=True):
    """What the holder of the lock is about to do; stands in the lock's file, as JSON, until it is done."""

    branch: str
    """The task's branch, which is made, merged or deleted."""
    old: str = ""
    new: str = ""
    """The commits between which the checkout is being moved; empty: the checkout is not touched."""
    session: int = 0
    """In which the holder's git commands run. One may outlive the holder for a moment, until its tree is ended."""


class Checkout:
    """What the repository has checked out. Raises UnreadyRepositoryError where the folder is in none."""

    def __init__(self, folder: Path) -> None:
        words = ("--show-prefix", "--show-toplevel", "--absolute-git-dir", "--git-common-dir")
        self.prefix: str
        """Where the folder lies below the repository's root: empty, or with a slash at its end."""
        try:
            self.prefix, root, own, common = git(folder, "rev-parse", *words).split("\n")
        except GitInterruptedError:
            raise
        except GitError as error:
            raise UnreadyRepositoryError(str(error)) from None
        self.root, self.git_dir = Path(root), Path(own)
        self.common_dir = (folder / common).resolve()
        """Where branches and worktrees are; another than git_dir where this checkout is itself a linked worktree."""
        self.files = Files(self.root, self.git_dir)
        self._lock = IntentLock(self.git_dir / "kortana.lock")

    @contextlib.contextmanager
    def changing(self, branch: str) -> Iterator[None]:
        """Waits for the turn to change the repository, and mends first what a holder that died has left.

        Whoever is asked to end meanwhile ends when the change is whole. A refusal by git (GitError) leaves nothing
        to mend; whatever else ends the block leaves it to the next.
        """
        left = self._lock.acquire()
        try:
            with signals_held():
                if left:
                    self._mend(left)
                self._intend(branch)
                try:
                    yield
                except GitInterruptedError:
                    raise
                except GitError:
                    self._lock.intend(b"")
                    raise
                self._lock.intend(b"")
        finally:
            self._lock.release()

    def head(self) -> str:
        return git(self.root, "rev-parse", "HEAD")

    def advance(self, branch: str, onto: str, old: str, new: str) -> bool:
        """Moves the checkout, which is on the branch `onto`, from `old` to `new`, which descends from it and has the
        branch. Within `changing` only. False, with nothing changed, where it is not there, or not any more.

        The index is held all the while: `git merge` locks it only once it has read it, and takes back what a person has
        added in between. Raises BusyCheckoutError, with nothing changed, where that would overwrite what is not
        committed, or where a git of the person's is at work; GitError.
        """
        if (self.branch(), self.head()) != (onto, old):
            return False
        self._intend(branch, old, new)
        with self.files.held():
            self.files.move(old, new)
            has_moved = self._move_branch(branch, onto, old, new)
            if has_moved:
                wait_for_bystanders(self.root, "git", HELD_S)
                self.files.follow()
            else:
                self.files.put_back(old, new)
        if not has_moved:
            if (self.branch(), self.head()) != (onto, old):
                return False
            self.refuse_busy()
            raise BusyCheckoutError(AT_WORK)
        self._look_once_more(onto, old, new)
        self._intend(branch)
        if not self.is_in(f"refs/heads/{branch}", f"refs/heads/{onto}"):
            return False  # it was set back to where it had been read
        with contextlib.suppress(GitError):  # it is too late for it to object
            git(self.root, "hook", "run", "--ignore-missing", "post-merge", "--", "0", timeout_s=FILES_TIMEOUT_S)
        return True

    def _move_branch(self, branch: str, onto: str, old: str, new: str) -> bool:
        """Once the files have moved. False where a person has gone elsewhere meanwhile, has committed, or has begun
        what may end with going back."""
        move = ("update-ref", "-m", f"merge {branch}: Fast-forward", f"refs/heads/{onto}")
        if self.branch() != onto or self._under_way() or said(self.root, *move, new, old) is None:
            return False
        return not self._goes_back_to(old) or said(self.root, *move, old, new) is None

    def _look_once_more(self, onto: str, old: str, new: str) -> None:
        """A git of the person's may write only now, and by what it has read before."""
        wait_for_bystanders(self.root, "git", GITS_TIMEOUT_S)
        try:
            with self.files.held():
                if self.branch() != onto:
                    self.files.withdraw(old, new)
                elif self.head() == new:
                    self.files.catch_up(old, new)
        except GitInterruptedError:
            raise
        except GitError:
            pass  # yet another one is at work: `git status` tells the person

    def refuse_busy(self) -> None:
        """Raises BusyCheckoutError where its person is in the midst of what may end with going back."""
        if what := self._under_way():
            raise BusyCheckoutError(f"a {what} is under way in the checkout")

    def _under_way(self) -> str:
        for name, what in UNDER_WAY.items():
            is_reference = name.endswith("_HEAD")  # which a reftable has no file for
            if (self.git_dir / name).exists() or (is_reference and self.has_reference(name)):
                return what
        return ""

    def _goes_back_to(self, commit: str) -> bool:
        """Whether there is a rebase that ends there if it is given up."""
        for name in ("rebase-merge", "rebase-apply"):
            with contextlib.suppress(OSError):
                return (self.git_dir / name / "orig-head").read_text().strip() == commit
        return False

    def branch(self) -> str:
        """The branch that is checked out; empty where none is."""
        return (said(self.root, "symbolic-ref", "--quiet", "HEAD") or "").removeprefix("refs/heads/")

    def beginning(self) -> tuple[str, str]:
        """What new work begins from, and the branch that it belongs to: the one that is checked out; HEAD, and the one
        that will be, once a rebase is finished. Within a bisection, the one that was bisected: what that looks at is
        old. HEAD, and none, where there is no such branch."""
        branch = self.branch()
        for name in () if branch else ("rebase-merge/head-name", "rebase-apply/head-name"):
            with contextlib.suppress(OSError):
                return "HEAD", (self.git_dir / name).read_text().strip().removeprefix("refs/heads/")
        with contextlib.suppress(OSError):
            bisected = (self.git_dir / "BISECT_START").read_text().strip()
            if self.has_reference(f"refs/heads/{bisected}"):
                return f"refs/heads/{bisected}", bisected
        return f"refs/heads/{branch}" if branch else "HEAD", branch

    def has_reference(self, name: str) -> bool:
        """Whether there is one, `HEAD` or `refs/...`."""
        return succeeds(self.root, "rev-parse", "--verify", "--quiet", name)

    def is_in(self, commit: str, place: str) -> bool:
        """Whether a commit, or what is given for one, is in the history of another."""
        return succeeds(self.root, "merge-base", "--is-ancestor", commit, place)

    def had(self, commit: str, branch: str) -> bool:
        """Whether a commit is, or was, in the history of a branch, as far as its reflog tells."""
        tips = said(self.root, "rev-list", "--walk-reflogs", f"--max-count={MOST_TIPS}", f"refs/heads/{branch}")
        before = (tips or "").split()
        return bool(before) and said(self.root, "rev-list", "--max-count=1", commit, "--not", *before) == ""

    def drop_lock_of(self, branch: str) -> None:
        """The branch's lock: whoever made it is gone, as the branch is ours. Where it is one with all others', only if
        nobody alive holds it."""
        drop_stale(self._reftable_locks())
        with contextlib.suppress(NotADirectoryError):  # a branch `kortana` is in the way, as git will say
            (self.common_dir / "refs" / "heads" / f"{branch}.lock").unlink(missing_ok=True)

    def _intend(self, branch: str, old: str = "", new: str = "") -> None:
        self._lock.intend(msgspec.json.encode(Intent(branch, old, new, os.getsid(0))))

    def _mend(self, left: bytes) -> None:
        try:
            intent = msgspec.json.decode(left, type=Intent)
        except msgspec.DecodeError:
            intent = Intent("")
        if intent.session and intent.session != os.getsid(0):
            wait_for_session(intent.session, TREE_END_S)
        stale = found_stale(self._locks(intent.branch), self._lock.written_ns())
        for lock in stale - ({self.files.lock} if intent.old else set()):
            lock.unlink(missing_ok=True)
        if intent.old:
            with self.files.held(is_left=self.files.lock in stale):
                if self.head() == intent.old:
                    self.files.undo(intent.old, intent.new)
                elif self.head() == intent.new:
                    self.files.catch_up(intent.old, intent.new)

    def _locks(self, branch: str) -> set[Path]:
        """That a dead git may have left."""
        names = {*self.git_dir.glob("*.lock"), *self.common_dir.glob("*.lock")} - {self._lock.path}
        names |= self._reftable_locks()
        names.add(self.common_dir / "packed-refs.new")
        return names | {self.common_dir / "refs" / "heads" / f"{each}.lock" for each in (branch, self.branch())}

    def _reftable_locks(self) -> set[Path]:
        return reftable_locks(self.git_dir) | reftable_locks(self.common_dir)
