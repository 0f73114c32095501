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

from kortana.agent.files import Files
from kortana.agent.git import (
    FILES_TIMEOUT_S,
    GitError,
    GitInterruptedError,
    UnreadyRepositoryError,
    git,
    said,
    succeeds,
)
from kortana.agent.stale import drop_stale, reftable_locks
from kortana.processes.bystanders import wait_for_bystanders
from kortana.processes.lock import IntentLock
from kortana.processes.offspring import wait_for_session
from kortana.processes.posix import signals_held

TREE_END_S = 10.0
"""How long is waited for what a dead holder has left running."""
GITS_TIMEOUT_S = 2.0
"""How long is waited for a git of the person's. One that waits for its user, in an editor or a pager, writes nothing
that it has read before, or finds that the branch has moved."""
UNDER_WAY = {
    "MERGE_HEAD": "merge", "CHERRY_PICK_HEAD": "cherry-pick", "REVERT_HEAD": "revert", "rebase-merge": "rebase",
    "rebase-apply": "rebase", "sequencer": "cherry-pick or revert", "BISECT_START": "bisection",
}  # fmt: skip
"""What stands in git's folder of a checkout → what its person is in the midst of, and may go back from."""
AT_WORK = "another git is at work in the checkout, or has died there"


class BusyCheckoutError(GitError):
    """The person's checkout cannot move just now. What stands in the way is the person's to clear, not an agent's."""


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

        By read-tree, which locks the index before it reads it: `git merge` locks it afterwards, and takes back what a
        person has added in between. Raises BusyCheckoutError, with nothing changed, where that would overwrite what is
        not committed, or where a git of the person's is at work; GitError.
        """
        with contextlib.suppress(GitError):
            git(self.root, "update-index", "-q", "--refresh")
        if (self.branch(), self.head()) != (onto, old):
            return False
        move = ("read-tree", "-m", "-u", old, new)
        try:
            git(self.root, *move, "--dry-run")
        except GitInterruptedError:
            raise
        except GitError as error:
            raise BusyCheckoutError(_locked(error) or self.files.in_the_way(old, new) or str(error)) from None
        self._intend(branch, old, new)
        try:
            git(self.root, *move, timeout_s=FILES_TIMEOUT_S)
        except GitError as error:
            if told := _locked(error):
                raise BusyCheckoutError(told) from None
            raise
        if not self._move_branch(branch, onto, old, new):
            return False
        self._intend(branch)
        wait_for_bystanders(self.root, "git", GITS_TIMEOUT_S)  # each may have read before what it writes only now
        if (self.branch(), self.head()) == (onto, new):
            self.files.catch_up(old, new)
        if not self.is_in(f"refs/heads/{branch}", f"refs/heads/{onto}"):
            return False  # it was set back to where it had been read
        with contextlib.suppress(GitError):  # it is too late for it to object
            git(self.root, "hook", "run", "--ignore-missing", "post-merge", "--", "0", timeout_s=FILES_TIMEOUT_S)
        return True

    def _move_branch(self, branch: str, onto: str, old: str, new: str) -> bool:
        """Once the files have moved. False where a person has gone elsewhere meanwhile, has committed on top, or has
        begun what may end with going back."""
        reference = f"refs/heads/{onto}"
        if self.branch() != onto or self._under_way():
            self.files.undo(old, new)
            return False
        try:
            git(self.root, "update-ref", "-m", f"merge {branch}: Fast-forward", reference, new, old)
            goes_back, is_there = self._goes_back_to(old), self.branch() == onto
            if not is_there:
                self.files.withdraw(old, new)
            elif goes_back:
                git(self.root, "update-ref", reference, old, new)
                self.files.undo(old, new)
                return False
        except GitInterruptedError:
            raise
        except GitError:
            is_committed = self.files.differing(old, new) & self.files.differing(old, "HEAD")  # by a person, on top
            if not is_committed:
                self.files.undo(old, new)
            if self.head() != old:
                return False
            raise BusyCheckoutError(AT_WORK) from None
        return True

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
        """What new work begins from, and the branch that it belongs to: HEAD, and the branch that is checked out, or
        will be once a rebase is finished. Within a bisection, the branch that was bisected: what that looks at is old.
        Empty where there is no such branch."""
        branch = self.branch()
        for name in () if branch else ("rebase-merge/head-name", "rebase-apply/head-name"):
            with contextlib.suppress(OSError):
                return "HEAD", (self.git_dir / name).read_text().strip().removeprefix("refs/heads/")
        with contextlib.suppress(OSError):
            bisected = (self.git_dir / "BISECT_START").read_text().strip()
            if self.has_reference(f"refs/heads/{bisected}"):
                return f"refs/heads/{bisected}", bisected
        return "HEAD", branch

    def has_reference(self, name: str) -> bool:
        """Whether there is one, `HEAD` or `refs/...`."""
        return succeeds(self.root, "rev-parse", "--verify", "--quiet", name)

    def is_in(self, commit: str, place: str) -> bool:
        """Whether a commit, or what is given for one, is in the history of another."""
        return succeeds(self.root, "merge-base", "--is-ancestor", commit, place)

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
        self._drop_stale_locks(intent.branch)
        if intent.old and self.head() == intent.old:
            self.files.undo(intent.old, intent.new)

    def _drop_stale_locks(self, branch: str) -> None:
        """Removes what a dead git has locked since the intent was written, and nobody alive has."""
        names = {*self.git_dir.glob("*.lock"), *self.common_dir.glob("*.lock")} - {self._lock.path}
        names |= self._reftable_locks()
        names.add(self.common_dir / "packed-refs.new")
        names |= {self.common_dir / "refs" / "heads" / f"{each}.lock" for each in (branch, self.branch())}
        drop_stale(names, self._lock.written_ns())

    def _reftable_locks(self) -> set[Path]:
        return reftable_locks(self.git_dir) | reftable_locks(self.common_dir)


def _locked(error: GitError) -> str:
    return AT_WORK if "index.lock" in str(error) else ""
