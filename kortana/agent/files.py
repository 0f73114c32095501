"""The index and the files of a checkout, while its branch moves from one commit to another."""

import contextlib
import os
from collections.abc import Container
from pathlib import Path

from kortana.agent.git import GitError, GitInterruptedError, git, listed, named


class Files:
    """Of the checkout in `root`, whose own folder of git's is `git_dir`. Its methods raise GitError."""

    def __init__(self, root: Path, git_dir: Path) -> None:
        self._root, self._git_dir = root, git_dir

    def differing(self, *words: str) -> set[str]:
        """The paths that differ between two commits, or as `git diff` is told."""
        return set(listed(self._root, "diff", "--name-only", "--no-renames", "-z", *words))

    def in_the_way(self, old: str, new: str) -> str:
        """What a person has not committed, and a move would overwrite."""
        added = {name for name in self.differing(old, new, "--diff-filter=A") if os.path.lexists(self._root / name)}
        names = sorted(added | (self.differing("HEAD") & self.differing(old, new)))
        return f"what is not committed in the checkout is in the way: {named(names)}" if names else ""

    def catch_up(self, old: str, new: str) -> None:
        """Once HEAD is there: has the index follow where a git of the person's has written back what it had read
        before. The files are there: no git rewrites those that it takes for unchanged."""
        behind = self.differing("--cached", new)
        if behind and (behind := behind & self.differing(old, new) - self.differing("--cached", old)):
            try:
                self._reset(new, sorted(behind))
            except GitInterruptedError:
                raise
            except GitError:
                pass  # yet another git is at work: `git status` tells the person

    def withdraw(self, old: str, new: str) -> None:
        """Takes what has moved out of the checkout of another branch, to which a person has gone meanwhile."""
        staged = self.differing(old, new) - self.differing("--cached", new)
        if foreign := staged & self.differing("HEAD", new):
            self.undo("HEAD", new, foreign)

    def undo(self, old: str, new: str, only: Container[str] | None = None) -> None:
        """Takes a half-made move back. What lies there and is of neither commit is kept as refs/kortana/rescued/.
        only: the paths of it; None: all."""
        added, kept = (
            sorted(name for name in self.differing(old, new, f"--diff-filter={which}") if only is None or name in only)
            for which in "Aa"
        )
        if not added and not kept:
            return  # without a path, git would reset all that the user has staged
        self._rescue(old, new, kept, added)
        self._reset(old, kept + added)
        for name in added:
            self._unlink(self._root / name)
        git(self._root, "checkout-index", "--force", "--stdin", "-z", paths=kept)

    def _reset(self, commit: str, names: list[str]) -> None:
        """In the index."""
        git(self._root, "reset", "--quiet", "--pathspec-from-file=-", "--pathspec-file-nul", commit, paths=names)

    def _rescue(self, old: str, new: str, kept: list[str], added: list[str]) -> None:
        index = self._git_dir / "kortana.index"
        index.unlink(missing_ok=True)
        git(self._root, "read-tree", old, index=index)
        there = kept + [name for name in added if os.path.lexists(self._root / name)]
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
