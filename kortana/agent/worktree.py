"""A git worktree of its own for each task: made from HEAD, kept on failure, merged or left by choice."""

import os
import re
import shutil
import stat
import time
from pathlib import Path

from kortana.agent.checkout import Checkout
from kortana.agent.git import (
    FILES_TIMEOUT_S,
    BusyCheckoutError,
    GitError,
    GitInterruptedError,
    UnreadyRepositoryError,
    git,
    succeeds,
)
from kortana.agent.merging import ConflictError, merged
from kortana.agent.origin import Origin
from kortana.agent.stale import reftable_locks
from kortana.agent.work import UnfitWorkError, Work

REMOVING, REBASING = "kortana: removing", "kortana: rebasing"
UNFINISHED = ("initializing", REMOVING, REBASING)
"""What a worktree's `locked` file says while git makes it, and while we remove it, or move it to other commits: the
files of such a one are none of the agent's doing."""
MERGE_TIMEOUT_S = 30.0
"""So long is it tried to merge, while a person, or an agent in the checkout, goes on committing there."""
PREFIX = "kortana/"
"""Of the names of tasks' branches."""


def branch_of(task: str) -> str:
    """Git takes no `..` in a name, and neither `.` nor `.lock` at its end; a task's name has no `%`."""
    bad = ".." in task or task.endswith((".", ".lock"))
    return f"{PREFIX}{task.replace('.', '%2E') if bad else task}"


class Worktree:
    """`.kortana/worktrees/TASK` on branch `kortana/TASK` (`branch_of`). One that an earlier attempt has left is gone on
    with; one that was not wholly made, or not wholly removed, is made anew: what it lacks would pass for deleted.

    Only the holder of the task's lease may make one. Raises GitError.
    """

    def __init__(self, folder: Path, task: str) -> None:
        self._checkout = Checkout(folder)
        self.branch = branch_of(task)
        self.origin = Origin(self._checkout, self.branch)
        self.folder = self._checkout.root / ".kortana" / "worktrees" / task
        self.place = self.folder / self._checkout.prefix
        """Where the work is done: what stands for the given folder, which need not be the repository's root."""
        self.remark = ""
        """What the person's post-checkout hook has failed with, which git takes for no reason to stop."""
        with self._checkout.changing(self.branch):
            self._checkout.drop_lock_of(self.branch)
            admin = self._admin_dir()
            self.is_kept = admin is not None and self._is_whole(admin)
            """Whether it is as an earlier attempt has left it."""
            if admin is not None and self.is_kept:
                for path in (*admin.glob("*.lock"), *reftable_locks(admin)):  # of one that died, or has lost its lease
                    path.unlink(missing_ok=True)
            else:
                self._clear(admin)
                self._make()
        self.place.mkdir(parents=True, exist_ok=True)

    def commit(self, message: str) -> bool:
        """Commits whatever has changed; whether the branch has anything that HEAD has not.

        Raises UnfitWorkError where that would not be all of the agent's work, GitError.
        """
        admin = self._admin_dir()
        if admin is None:
            raise UnfitWorkError("git knows nothing of its worktree any more")
        work = Work(self.folder, admin, self.branch)
        work.commit(message)
        work.refuse_lost_commits(self.origin.base())
        has_more = self.has_more()
        if not has_more and work.is_stashed():
            raise UnfitWorkError("all that it has changed is in a stash: git stash pop")
        return has_more

    def has_more(self) -> bool:
        """Whether the branch has anything that HEAD has not, and that it did not begin with."""
        known = ("^HEAD", f"^{self.origin.base()}")
        return bool(git(self._checkout.root, "rev-list", self.branch, *known, "--max-count=1"))

    def follow(self) -> str:
        """Where a person has rewritten what the branch began from (`commit --amend`, `reset`, `pull --rebase`), moves
        what is its own to what is there now: a merge would bring back what that person has taken away, or conflict
        with it. Gives the reason where its own work conflicts. For what is committed only. Raises BusyCheckoutError
        where that person is not done with it, GitError."""
        admin = self._admin_dir()
        rewritten = self.origin.rewritten()
        if admin is None or rewritten is None:
            return ""
        self._checkout.refuse_busy()
        base, head = rewritten
        self.origin.begin_anew(head)
        work, locked = Work(self.folder, admin, self.branch), admin / "locked"
        locked.write_text(REBASING)
        try:
            return work.rebase(base, head)
        finally:
            if not work.is_rebasing():
                locked.unlink()

    def remedy(self) -> str:
        """The command by which an agent, in its worktree, makes its branch mergeable. It begins anew with that."""
        if (rewritten := self.origin.rewritten()) is not None:
            base, head = rewritten
            command = f"git rebase --onto {head} {base}"
        else:
            head = self.origin.head()
            command = f"git merge {head}"
        self.origin.begin_anew(head)
        return command

    def changed(self) -> list[str]:
        """The paths, from the repository's top folder, that the branch has changed since it left HEAD; where that has
        gone elsewhere meanwhile, since it began."""
        base = self.origin.base()
        since = "HEAD" if self._checkout.is_in(base, "HEAD") else base
        return sorted(self._checkout.files.differing(f"{since}...{self.branch}"))

    @property
    def top(self) -> Path:
        """The repository's top folder."""
        return self._checkout.root

    @property
    def ceiling(self) -> Path:
        """Where git has to stop looking for a repository upward of the worktree: beyond lies the person's checkout."""
        return self.folder.parent

    def tip(self) -> str:
        """The branch's last commit."""
        return git(self._checkout.root, "rev-parse", f"refs/heads/{self.branch}")

    def is_merged(self, commit: object, into: object = None) -> bool:
        """Whether what the repository has checked out, the branch that this one belongs to, or the one that it was to
        be merged into, has this commit. False for whatever is none."""
        if not isinstance(commit, str) or re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", commit) is None:
            return False
        branches = [name for name in (self.origin.belongs_to(), into) if name and isinstance(name, str)]
        places = ["HEAD", *(f"refs/heads/{name}" for name in branches)]
        return any(self._checkout.is_in(commit, place) for place in places)

    def merge(self, message: str) -> str:
        """Merges the branch into what the repository has checked out; gives the reason where its work conflicts.

        The merge is made beside the checkout, which then only moves forward: a conflict never touches it.
        Raises BusyCheckoutError where the checkout cannot move just now, GitError.
        """
        with self._checkout.changing(self.branch):
            deadline = time.monotonic() + MERGE_TIMEOUT_S
            while time.monotonic() < deadline:
                self._checkout.refuse_busy()
                onto = self.origin.goal()
                try:
                    head, commit = merged(self._checkout.root, self.branch, onto, message)
                except ConflictError as error:
                    return str(error)
                if not self._checkout.is_in(self.origin.base(), head):
                    raise GitError(f"{onto} has just been rewritten")
                if self._checkout.advance(self.branch, onto, head, commit):
                    self._remove()
                    return ""
        raise BusyCheckoutError("the checkout goes on all the time")

    def discard(self) -> None:
        """Removes worktree and branch."""
        with self._checkout.changing(self.branch):
            self._remove()

    def _admin_dir(self) -> Path | None:
        """The folder in which git keeps what it knows of this worktree."""
        for file in (self._checkout.common_dir / "worktrees").glob("*/gitdir"):
            if file.read_text(errors="surrogateescape").strip() == str(self.folder / ".git"):
                return file.parent
        return None

    def _is_whole(self, admin: Path) -> bool:
        if not (self.folder / ".git").is_file() or not (admin / "index").exists():
            return False
        locked = admin / "locked"
        return not locked.exists() or locked.read_text().strip() not in UNFINISHED

    def _clear(self, admin: Path | None) -> None:
        """Removes the worktree. While it lacks files it is marked as one that does."""
        if admin is not None:
            (admin / "locked").write_text(REMOVING)
        if self.folder.exists():
            _remove_folder(self.folder)
        if admin is not None:
            (admin / "locked").unlink()
        git(self._checkout.root, "worktree", "prune")

    def _make(self) -> None:
        root = self._checkout.root
        if not self._checkout.has_reference("HEAD"):
            raise UnreadyRepositoryError("the repository has no commit yet that a worktree could begin from")
        if self._checkout.has_reference("refs/heads/kortana"):
            told = "there is a branch named kortana, beside which git takes no kortana/...: rename it"
            raise UnreadyRepositoryError(told)
        if not all(succeeds(root, "var", f"GIT_{who}_IDENT") for who in ("AUTHOR", "COMMITTER")):
            raise UnreadyRepositoryError("git does not know in whose name to commit: git config user.name, user.email")
        self._exclude()
        is_there = self._checkout.has_reference(f"refs/heads/{self.branch}")
        has_more = is_there and not self._checkout.is_in(self.branch, "HEAD")
        words = [str(self.folder), self.branch]
        if not has_more:
            start, belongs_to = self._checkout.beginning()
            base = git(root, "rev-parse", "--verify", f"{start}^{{commit}}")
            self.origin.begin(base, belongs_to)
            words = ["-B", self.branch, str(self.folder), base]
        try:
            git(root, "worktree", "add", "--quiet", *words, timeout_s=FILES_TIMEOUT_S)
        except GitInterruptedError:
            raise
        except GitError as error:
            admin = self._admin_dir()
            if admin is None or not self._is_whole(admin):
                raise
            self.remark = str(error)

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


def _remove_folder(folder: Path) -> None:
    """Caches of modules, say, are made of folders that their owner may not write to."""
    try:
        shutil.rmtree(folder)
    except PermissionError:
        for path, folders, _ in os.walk(folder):
            for each in (Path(path, name) for name in folders):
                if not each.is_symlink():
                    each.chmod(stat.S_IRWXU)
        shutil.rmtree(folder)
