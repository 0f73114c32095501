"""A git worktree of its own for each task: made from HEAD, kept on failure, merged or left by choice."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

GIT_TIMEOUT_S = 120.0


class WorktreeError(Exception):
    """What git said."""


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorktreeError(f"git {words[0]}: {error}") from None
    if done.returncode:
        raise WorktreeError(f"git {words[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout.strip()


class Worktree:
    """`.kortana/worktrees/TASK` on branch `kortana/TASK`. One that an earlier attempt has left is gone on with."""

    def __init__(self, repository: Path, task: str) -> None:
        self.repository = Path(_git(repository, "rev-parse", "--show-toplevel"))
        self.branch = f"kortana/{task}"
        self.folder = self.repository / ".kortana" / "worktrees" / task
        if not (self.folder / ".git").exists():
            self._make()

    def _make(self) -> None:
        with self._locked():
            _git(self.repository, "worktree", "prune")
            exclude = Path(_git(self.repository, "rev-parse", "--git-path", "info/exclude"))
            exclude = exclude if exclude.is_absolute() else self.repository / exclude
            known = exclude.read_text() if exclude.exists() else ""
            if "/.kortana/" not in known:
                exclude.parent.mkdir(parents=True, exist_ok=True)
                exclude.write_text(known + ("" if known.endswith("\n") or not known else "\n") + "/.kortana/\n")
            exists = _git(self.repository, "branch", "--list", self.branch)
            words = [str(self.folder), self.branch] if exists else ["-b", self.branch, str(self.folder), "HEAD"]
            _git(self.repository, "worktree", "add", "--quiet", *words)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Two workers must not change the repository's own state at a time."""
        path = Path(_git(self.repository, "rev-parse", "--absolute-git-dir")) / "kortana.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def commit(self, message: str) -> bool:
        """Commits whatever has changed; whether the branch has anything that HEAD has not."""
        _git(self.folder, "add", "--all")
        if _git(self.folder, "status", "--porcelain"):
            _git(self.folder, "commit", "--quiet", "--no-verify", "-m", message)
        return bool(_git(self.repository, "rev-list", f"HEAD..{self.branch}", "--max-count=1"))

    def merge(self, message: str) -> str:
        """Merges the branch into what the repository has checked out; gives the reason where that cannot be."""
        with self._locked():
            try:
                _git(self.repository, "merge", "--quiet", "--no-ff", "--no-edit", "-m", message, self.branch)
            except WorktreeError as error:
                with contextlib.suppress(WorktreeError):
                    _git(self.repository, "merge", "--abort")
                return str(error)
            self.remove(with_branch=True)
        return ""

    def remove(self, with_branch: bool = False) -> None:
        _git(self.repository, "worktree", "remove", "--force", str(self.folder))
        if with_branch:
            _git(self.repository, "branch", "--quiet", "--delete", self.branch)
