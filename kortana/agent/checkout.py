"""The repository's own checkout, which several adapters change: one at a time, and wholly or not at all.

git itself is not safe against kill -9: it leaves `index.lock`, which stops every later git, and a work tree half way
between two commits. So each change says beforehand what it is about to do, in the file that is the lock; who gets the
lock after a holder that died finds it there, and mends.
"""

import contextlib
import os
from collections.abc import Container, Iterator
from pathlib import Path

import msgspec

from kortana.agent.git import (
    FILES_TIMEOUT_S,
    GitError,
    GitInterruptedError,
    UnreadyRepositoryError,
    git,
    listed,
    named,
    said,
    succeeds,
)
from kortana.agent.stale import drop_stale, reftable_locks
from kortana.processes.lock import IntentLock
from kortana.processes.offspring import wait_for_session
from kortana.processes.posix import signals_held

TREE_END_S = 10.0
"""How long is waited for what a dead holder has left running."""
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
        """Moves the checkout, which is on the branch `onto`, from `old` to `new`, which descends from it. Within
        `changing` only. False, with nothing changed, where it is not there any more.

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
            raise BusyCheckoutError(_locked(error) or self._in_the_way(old, new) or str(error)) from None
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
        with contextlib.suppress(GitError):  # it is too late for it to object
            git(self.root, "hook", "run", "--ignore-missing", "post-merge", "--", "0", timeout_s=FILES_TIMEOUT_S)
        return True

    def _move_branch(self, branch: str, onto: str, old: str, new: str) -> bool:
        """Once the files have moved. False where a person has gone elsewhere meanwhile, has committed on top, or has
        begun what may end with going back."""
        reference = f"refs/heads/{onto}"
        if self.branch() != onto or self._under_way():
            self._undo(old, new)
            return False
        try:
            git(self.root, "update-ref", "-m", f"merge {branch}: Fast-forward", reference, new, old)
            goes_back, is_there = self._goes_back_to(old), self.branch() == onto
            if not is_there:
                self._withdraw(old, new)
            elif goes_back:
                git(self.root, "update-ref", reference, old, new)
                self._undo(old, new)
                return False
        except GitInterruptedError:
            raise
        except GitError:
            is_committed = self.differing(old, new) & self.differing(old, "HEAD")  # by a person, on top
            if not is_committed:
                self._undo(old, new)
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

    def _in_the_way(self, old: str, new: str) -> str:
        """What a person has not committed, and a move would overwrite."""
        added = {name for name in self.differing(old, new, "--diff-filter=A") if os.path.lexists(self.root / name)}
        names = sorted(added | (self.differing("HEAD") & self.differing(old, new)))
        return f"what is not committed in the checkout is in the way: {named(names)}" if names else ""

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
            self._undo(intent.old, intent.new)

    def _drop_stale_locks(self, branch: str) -> None:
        """Removes what a dead git has locked since the intent was written, and nobody alive has."""
        names = {*self.git_dir.glob("*.lock"), *self.common_dir.glob("*.lock")} - {self._lock.path}
        names |= self._reftable_locks()
        names.add(self.common_dir / "packed-refs.new")
        names |= {self.common_dir / "refs" / "heads" / f"{each}.lock" for each in (branch, self.branch())}
        drop_stale(names, self._lock.written_ns())

    def _reftable_locks(self) -> set[Path]:
        return reftable_locks(self.git_dir) | reftable_locks(self.common_dir)

    def differing(self, *words: str) -> set[str]:
        """The paths that differ between two commits, or as `git diff` is told."""
        return set(listed(self.root, "diff", "--name-only", "--no-renames", "-z", *words))

    def _withdraw(self, old: str, new: str) -> None:
        """Takes what has moved out of the checkout of another branch, to which a person has gone meanwhile."""
        staged = self.differing(old, new) - self.differing("--cached", new)
        if foreign := staged & self.differing("HEAD", new):
            self._undo("HEAD", new, foreign)

    def _undo(self, old: str, new: str, only: Container[str] | None = None) -> None:
        """Takes a half-made move back. What lies there and is of neither commit is kept as refs/kortana/rescued/.
        only: the paths of it; None: all."""
        added, kept = (
            sorted(name for name in self.differing(old, new, f"--diff-filter={which}") if only is None or name in only)
            for which in "Aa"
        )
        if not added and not kept:
            return  # without a path, git would reset all that the user has staged
        self._rescue(old, new, kept, added)
        from_stdin = ("--pathspec-from-file=-", "--pathspec-file-nul")
        git(self.root, "reset", "--quiet", *from_stdin, old, paths=kept + added)
        for name in added:
            self._unlink(self.root / name)
        git(self.root, "checkout-index", "--force", "--stdin", "-z", paths=kept)

    def _rescue(self, old: str, new: str, kept: list[str], added: list[str]) -> None:
        index = self.git_dir / "kortana.index"
        index.unlink(missing_ok=True)
        git(self.root, "read-tree", old, index=index)
        there = kept + [name for name in added if os.path.lexists(self.root / name)]
        if there:
            git(self.root, "add", "--all", "--force", "--pathspec-from-file=-", "--pathspec-file-nul",
                paths=there, index=index)  # fmt: skip
        tree = git(self.root, "write-tree", index=index)
        index.unlink()
        if self.differing(tree, old) & self.differing(tree, new):
            commit = git(self.root, "commit-tree", tree, "-p", old, "-m", "What lay where a merge was cut off")
            git(self.root, "update-ref", f"refs/kortana/rescued/{commit[:12]}", commit)

    def _unlink(self, path: Path) -> None:
        """The file, and the folders that are empty without it."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root:
                    return
                folder.rmdir()


def _locked(error: GitError) -> str:
    return AT_WORK if "index.lock" in str(error) else ""
