"""The index and the files of a checkout, while its branch moves from one commit to another."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from kortana.agent.git import (
    FILES_TIMEOUT_S,
    BusyCheckoutError,
    GitError,
    GitInterruptedError,
    git,
    listed,
    named,
    succeeds,
)
from kortana.processes.watch import FolderWatch

LOCK_TIMEOUT_S = 2.0
"""How long is waited for another git that holds the index."""
AT_WORK = "another git is at work in the checkout, or has died there"


class Files:
    """Of the checkout in `root`, whose own folder of git's is `git_dir`. Its methods raise GitError."""

    def __init__(self, root: Path, git_dir: Path) -> None:
        self._root, self._git_dir = root, git_dir
        self.lock, self._next = git_dir / "index.lock", git_dir / "kortana.next-index"

    def differing(self, *words: str) -> set[str]:
        """The paths that differ between two commits, or as `git diff` is told."""
        return set(listed(self._root, "diff", "--name-only", "--no-renames", "-z", *words))

    def in_the_way(self, old: str, new: str) -> str:
        """What a person has not committed, and a move would overwrite."""
        added = {name for name in self.differing(old, new, "--diff-filter=A") if os.path.lexists(self._root / name)}
        names = sorted(added | (self.differing("HEAD") & self.differing(old, new)))
        return f"what is not committed in the checkout is in the way: {named(names)}" if names else ""

    @contextlib.contextmanager
    def held(self, is_left: bool = False) -> Iterator[None]:
        """Keeps all others from the index, as a git does that changes it; what changes it here does so on a copy.
        is_left: whether one that has died has held it, and it is taken over from that.

        Raises BusyCheckoutError where another one holds it all the time.
        """
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while not is_left and not self._is_taken():
            if time.monotonic() >= deadline:
                raise BusyCheckoutError(AT_WORK)
            self._wait_for_the_lock(deadline)
        try:
            yield
        finally:
            self.lock.unlink(missing_ok=True)

    def move(self, old: str, new: str) -> None:
        """Within `held`: takes the files from one commit to another. The index is as it was, until it is to `follow`.

        Raises BusyCheckoutError where that would overwrite what is not committed, GitError where git cannot (a filter
        fails, say); either with nothing changed.
        """
        self._copy()
        move = ("read-tree", "-m", "-u", old, new)
        try:
            succeeds(self._root, "update-index", "-q", "--refresh", index=self._next)
            git(self._root, *move, "--dry-run", index=self._next)
        except GitInterruptedError:
            raise
        except GitError as error:
            raise BusyCheckoutError(self.in_the_way(old, new) or str(error)) from None
        try:
            git(self._root, *move, index=self._next, timeout_s=FILES_TIMEOUT_S)
        except GitInterruptedError:
            raise
        except GitError:
            self.put_back(old, new)
            raise

    def _copy(self) -> None:
        self._next.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(self._git_dir / "index", self._next)

    def follow(self) -> None:
        """Within `held`, once HEAD has moved, or where it only was to be put right."""
        os.replace(self._next, self._git_dir / "index")

    def put_back(self, old: str, new: str) -> None:
        """Within `held`: instead. What lies there and is of neither commit is kept as refs/kortana/rescued/."""
        self._lay_out(old, new, self.differing(old, new))

    def catch_up(self, old: str, new: str) -> None:
        """Within `held`, once HEAD is there: has the index follow where it has not, or where a git of the person's has
        written back what it had read before. The files are there: no git rewrites those that it takes for unchanged."""
        behind = self.differing("--cached", new)
        if behind and (behind := behind & self.differing(old, new) - self.differing("--cached", old)):
            self._reset(new, behind)

    def withdraw(self, old: str, new: str) -> None:
        """Within `held`: takes what has moved out of the checkout of another branch, to which a person has gone."""
        staged = self.differing(old, new) - self.differing("--cached", new)
        if foreign := staged & self.differing("HEAD", new):
            self._undo("HEAD", new, foreign)

    def undo(self, old: str, new: str) -> None:
        """Within `held`: takes back a move that was cut off, as `put_back` does; the index too."""
        self._undo(old, new, self.differing(old, new))

    def _undo(self, old: str, new: str, names: set[str]) -> None:
        if names:  # without a path, git would reset all that the person has staged
            self._reset(old, names)
            self._lay_out(old, new, names)

    def _reset(self, commit: str, names: Iterable[str]) -> None:
        """In the index."""
        self._copy()
        words = ("reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul", commit)
        git(self._root, *words, paths=sorted(names), index=self._next)
        self.follow()

    def _lay_out(self, old: str, new: str, names: set[str]) -> None:
        """Makes the files what the index says."""
        self._next.unlink(missing_ok=True)
        self._rescue(old, new, names)
        tracked = names & set(listed(self._root, "ls-files", "-z"))
        for name in names - tracked:
            self._unlink(self._root / name)
        git(self._root, "checkout-index", "--force", "--stdin", "-z", paths=sorted(tracked))

    def _rescue(self, old: str, new: str, names: set[str]) -> None:
        index = self._git_dir / "kortana.index"
        index.unlink(missing_ok=True)
        git(self._root, "read-tree", old, index=index)
        added = self.differing(old, new, "--diff-filter=A")
        there = sorted(name for name in names if name not in added or os.path.lexists(self._root / name))
        if there:
            git(self._root, "add", "--all", "--force", "--pathspec-from-file=-", "--pathspec-file-nul",
                paths=there, index=index)  # fmt: skip
        tree = git(self._root, "write-tree", index=index)
        index.unlink()
        if self.differing(tree, old) & self.differing(tree, new):
            commit = git(self._root, "commit-tree", tree, "-p", old, "-m", "What lay where a merge was cut off")
            git(self._root, "update-ref", f"refs/kortana/rescued/{commit[:12]}", commit)

    def _unlink(self, path: Path) -> None:
        """The file, and the folders that are empty without it."""
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self._root:
                    return
                folder.rmdir()

    def _is_taken(self) -> bool:
        try:
            os.close(os.open(self.lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            return False
        return True

    def _wait_for_the_lock(self, deadline: float) -> None:
        """Until nobody has it, or that time of the monotonic clock."""
        with contextlib.closing(FolderWatch(self._git_dir)) as watch:
            while self.lock.exists() and (left := deadline - time.monotonic()) > 0:
                watch.wait(left)
