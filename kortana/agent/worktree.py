"""A git worktree of its own for each task: made from HEAD, kept on failure, merged or left by choice."""

import re
import shutil
from pathlib import Path

from kortana.agent.checkout import Checkout, merged
from kortana.agent.git import GitError, GitInterruptedError, NoRepositoryError, git, listed, succeeds

MOST_NAMED = 5
UNDONE = {"rebase-merge": "rebase", "rebase-apply": "rebase", "sequencer": "cherry-pick or revert"}
"""What stands in git's folder of a worktree while there is more to do."""
UNFINISHED = ("initializing", "kortana: removing")
"""What a worktree's `locked` file says while git makes it, and while we remove it: such a one lacks files."""


def branch_of(task: str) -> str:
    """Git takes no `..` in a name, and neither `.` nor `.lock` at its end; a task's name has no `%`."""
    bad = ".." in task or task.endswith((".", ".lock"))
    return f"kortana/{task.replace('.', '%2E') if bad else task}"


class Worktree:
    """`.kortana/worktrees/TASK` on branch `kortana/TASK` (`branch_of`). One that an earlier attempt has left is gone on
    with; one that was not wholly made, or not wholly removed, is made anew: what it lacks would pass for deleted.

    Only the holder of the task's lease may make one. Raises GitError.
    """

    def __init__(self, folder: Path, task: str) -> None:
        self._checkout = Checkout(folder)
        self.branch = branch_of(task)
        self.folder = self._checkout.root / ".kortana" / "worktrees" / task
        self.place = self.folder / self._checkout.prefix
        """Where the work is done: what stands for the given folder, which need not be the repository's root."""
        with self._checkout.changing(self.branch):
            self._checkout.drop_lock_of(self.branch)
            admin = self._admin_dir()
            if admin is not None and self._is_whole(admin):
                for path in admin.glob("*.lock"):  # of an attempt that died, or whose lease has gone to us
                    path.unlink(missing_ok=True)
            else:
                self._clear(admin)
                self._make()
        self.place.mkdir(parents=True, exist_ok=True)

    def commit(self, message: str) -> bool:
        """Commits whatever has changed; whether the branch has anything that HEAD has not.

        Raises GitError where the agent has left a merge or a rebase undone, or has gone to where its work is none of
        this branch's.
        """
        self._refuse_undone()
        git(self.folder, "add", "--all")
        if git(self.folder, "status", "--porcelain"):
            git(self.folder, "commit", "--quiet", "--no-verify", "-m", message)
        self._come_back()
        return bool(git(self._checkout.root, "rev-list", f"HEAD..{self.branch}", "--max-count=1"))

    def changed(self) -> list[str]:
        """The paths, from the repository's top folder, that the branch has changed since it left HEAD."""
        words = ("diff", "--no-renames", "--name-only", "-z", f"HEAD...{self.branch}")
        return listed(self._checkout.root, *words)

    @property
    def top(self) -> Path:
        """The repository's top folder."""
        return self._checkout.root

    def tip(self) -> str:
        """The branch's last commit."""
        return git(self._checkout.root, "rev-parse", f"refs/heads/{self.branch}")

    def head(self) -> str:
        """What the repository has checked out."""
        return self._checkout.head()

    def is_merged(self, commit: object) -> bool:
        """Whether what the repository has checked out has this commit. False for whatever is none."""
        is_name = isinstance(commit, str) and re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit) is not None
        return is_name and succeeds(self._checkout.root, "merge-base", "--is-ancestor", str(commit), "HEAD")

    def merge(self, message: str) -> str:
        """Merges the branch into what the repository has checked out; gives the reason where that cannot be.

        The merge is made beside the checkout, which then only moves forward: a conflict never touches it.
        """
        with self._checkout.changing(self.branch):
            try:
                head, commit = merged(self._checkout, self.branch, message)
                self._checkout.advance(self.branch, head, commit)
            except GitInterruptedError:
                raise
            except GitError as error:
                return str(error)
            self._remove()
        return ""

    def discard(self) -> None:
        """Removes worktree and branch."""
        with self._checkout.changing(self.branch):
            self._remove()

    def _refuse_undone(self) -> None:
        """To add what is in conflict would be to commit its markers."""
        torn = listed(self.folder, "diff", "--name-only", "--diff-filter=U", "-z")
        if torn:
            more = f" and {len(torn) - MOST_NAMED} more" if len(torn) > MOST_NAMED else ""
            raise GitError(f"conflicts are not resolved in {', '.join(torn[:MOST_NAMED])}{more}")
        admin = self._admin_dir()
        for name, what in UNDONE.items():
            if admin is not None and (admin / name).exists():
                raise GitError(f"a {what} is not finished in its worktree")

    def _come_back(self) -> None:
        """Agents make branches of their own, or leave their HEAD on none: what was built on ours there is ours."""
        reference = f"refs/heads/{self.branch}"
        at = git(self.folder, "rev-parse", "--symbolic-full-name", "HEAD")
        if at == reference:
            return
        begun = succeeds(self.folder, "rev-parse", "--verify", "--quiet", reference)
        if not begun or succeeds(self.folder, "merge-base", "--is-ancestor", reference, "HEAD"):
            git(self.folder, "update-ref", reference, "HEAD")
        elif not succeeds(self.folder, "merge-base", "--is-ancestor", "HEAD", reference):
            where = at.removeprefix("refs/heads/") if at != "HEAD" else "a commit"
            raise GitError(f"its worktree has gone to {where}, which does not come from {self.branch}")
        git(self.folder, "checkout", "--quiet", self.branch)

    def _admin_dir(self) -> Path | None:
        """The folder in which git keeps what it knows of this worktree."""
        for file in (self._checkout.common_dir / "worktrees").glob("*/gitdir"):
            if file.read_text(errors="surrogateescape").strip() == str(self.folder / ".git"):
                return file.parent
        return None

    def _is_whole(self, admin: Path) -> bool:
        if not (self.folder / ".git").exists() or not (admin / "index").exists():
            return False
        locked = admin / "locked"
        return not locked.exists() or locked.read_text().strip() not in UNFINISHED

    def _clear(self, admin: Path | None) -> None:
        """Removes the worktree. While it lacks files it is marked as one that does."""
        if admin is not None:
            (admin / "locked").write_text(UNFINISHED[1])
        if self.folder.exists():
            shutil.rmtree(self.folder)
        if admin is not None:
            (admin / "locked").unlink()
        git(self._checkout.root, "worktree", "prune")

    def _make(self) -> None:
        root = self._checkout.root
        if not succeeds(root, "rev-parse", "--verify", "--quiet", "HEAD"):
            raise NoRepositoryError("the repository has no commit yet that a worktree could begin from")
        if succeeds(root, "rev-parse", "--verify", "--quiet", "refs/heads/kortana"):
            raise NoRepositoryError("there is a branch named kortana, beside which git takes no kortana/...: rename it")
        self._exclude()
        exists = succeeds(root, "rev-parse", "--verify", "--quiet", f"refs/heads/{self.branch}")
        has_more = exists and not succeeds(root, "merge-base", "--is-ancestor", self.branch, "HEAD")
        words = [str(self.folder), self.branch] if has_more else ["-B", self.branch, str(self.folder), "HEAD"]
        git(root, "worktree", "add", "--quiet", *words)

    def _exclude(self) -> None:
        """Worktrees are nothing to be committed."""
        path = self._checkout.common_dir / "info" / "exclude"
        known = path.read_text() if path.exists() else ""
        if "/.kortana/" not in known:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(known + ("" if known.endswith("\n") or not known else "\n") + "/.kortana/\n")

    def _remove(self) -> None:
        self._clear(self._admin_dir())
        git(self._checkout.root, "branch", "--quiet", "-D", self.branch)
