"""What an agent has left in its worktree: committed to its task's branch, or refused where no commit could hold it."""

from collections.abc import Iterable
from pathlib import Path

from kortana.agent.git import FILES_TIMEOUT_S, GitError, GitInterruptedError, git, listed, named, succeeds

UNDONE = {"rebase-merge": "rebase", "rebase-apply": "rebase", "sequencer": "cherry-pick or revert"}
"""What stands in git's folder of a worktree while there is more to do."""
GITLINK = "160000"
"""The mode of an entry that names a commit of another repository."""


class UnfitWorkError(GitError):
    """What the agent has left cannot be taken in as it is. It is the agent's to mend."""


class Work:
    """What lies in a task's worktree. git is told where the worktree's own folder is, as agents may take away or
    replace the `.git` in it: every git would then go up to the person's checkout, or to a repository of the agent's.

    admin: the folder in which git keeps what it knows of this worktree.
    """

    def __init__(self, folder: Path, admin: Path, branch: str) -> None:
        self._folder, self._admin, self._branch = folder, admin, branch

    def commit(self, message: str) -> None:
        """Commits whatever has changed, to the task's branch. Raises UnfitWorkError where a part could not come along:
        a merge or rebase that is not finished, a HEAD that has gone elsewhere, another repository within this one."""
        self._refuse_undone()
        self._refuse_repositories()
        sparse = ["--sparse"] if (self._admin / "info" / "sparse-checkout").exists() else []
        git(self._folder, "add", "--all", *sparse, git_dir=self._admin, timeout_s=FILES_TIMEOUT_S)
        status = self._listed("status", "--porcelain=v2", "--no-renames", "-z")
        entries = [line for line in status if line.startswith("1 ")]
        if any(line[2] != "." for line in entries):
            git(self._folder, "commit", "--quiet", "-m", message, git_dir=self._admin, hooks=False)
        self._come_back()
        dirty = [line.split(" ", 8)[8] for line in entries if line[5] == "S" and line[7:9] != ".."]
        if dirty:
            raise UnfitWorkError(f"changes within the submodule {named(dirty)} are not committed and pushed there")

    def refuse_lost_commits(self, base: str) -> None:
        """Raises UnfitWorkError where the branch, since it left the base, names commits of other repositories that
        would be gone with this worktree."""
        lost = [name for name in self._gitlinks(base) if self._is_only_here(name)]
        if lost:
            raise UnfitWorkError(f"{named(lost)}: a repository of its own, whose commits are nowhere else")

    def rebase(self, base: str, onto: str) -> str:
        """Makes the branch's own commits, those after the base, anew on top of another one. Where they conflict, gives
        the reason, and leaves everything as it was; so it does where git fails (GitError)."""
        words = ("--quiet", "--merge", "--empty=drop", "--no-autostash", "--no-update-refs", "--no-rebase-merges")
        try:
            git(self._folder, "rebase", *words, "--onto", onto, base, git_dir=self._admin, hooks=False,
                timeout_s=FILES_TIMEOUT_S)  # fmt: skip
        except GitInterruptedError:
            raise
        except GitError:
            torn = self._torn()
            git(self._folder, "rebase", "--abort", git_dir=self._admin, hooks=False, timeout_s=FILES_TIMEOUT_S)
            if not torn:
                raise
            return f"what it began from has been rewritten, and conflicts with its changes in {named(torn)}"
        return ""

    def is_rebasing(self) -> bool:
        return (self._admin / "rebase-merge").exists()

    def is_stashed(self) -> bool:
        """Whether there is something that was put aside on the branch, and never taken up again."""
        return any(f" {self._branch}:" in line for line in self._git("stash", "list").splitlines())

    def _refuse_undone(self) -> None:
        """To add what is in conflict would be to commit its markers."""
        if torn := self._torn():
            raise UnfitWorkError(f"conflicts are not resolved in {named(torn)}")
        for name, what in UNDONE.items():
            if (self._admin / name).exists():
                raise UnfitWorkError(f"a {what} is not finished in its worktree")

    def _torn(self) -> list[str]:
        return self._listed("diff", "--name-only", "--diff-filter=U", "-z")

    def _refuse_repositories(self) -> None:
        """git lists those that nobody has added as folders, and takes nothing of what is in them."""
        others = self._listed("ls-files", "--others", "--exclude-standard", "-z")
        nested = [name.rstrip("/") for name in others if name.endswith("/")]
        if nested:
            raise UnfitWorkError(f"{named(nested)}: a repository of its own, of which git takes in no file: "
                                 "remove the .git in it, or what it is in")  # fmt: skip

    def _come_back(self) -> None:
        """Agents make branches of their own, or leave their HEAD on none: what was built on ours there is ours."""
        reference = f"refs/heads/{self._branch}"
        at = self._git("rev-parse", "--symbolic-full-name", "HEAD")
        if at == reference:
            return
        begun = self._succeeds("rev-parse", "--verify", "--quiet", reference)
        if not begun or self._succeeds("merge-base", "--is-ancestor", reference, "HEAD"):
            self._git("update-ref", reference, "HEAD")
        elif not self._succeeds("merge-base", "--is-ancestor", "HEAD", reference):
            where = at.removeprefix("refs/heads/") if at != "HEAD" else "a commit"
            raise UnfitWorkError(f"its worktree has gone to {where}, which does not come from {self._branch}")
        git(self._folder, "checkout", "--quiet", self._branch, git_dir=self._admin, hooks=False)

    def _gitlinks(self, base: str) -> Iterable[str]:
        """The paths at which the branch has another commit of another repository than the base."""
        words = self._listed("diff", "--raw", "--no-renames", "--no-abbrev", "-z", f"{base}...{self._branch}")
        return [name for told, name in zip(words[::2], words[1::2], strict=True) if told.split(" ")[1] == GITLINK]

    def _is_only_here(self, name: str) -> bool:
        """Whether what is at a path is no submodule, or its commit on none of the submodule's remotes."""
        modules = f"{self._branch}:.gitmodules"
        paths = ("config", "--blob", modules, "--fixed-value", "--get-regexp", r"^submodule\..*\.path$", name)
        if not self._succeeds(*paths):
            return True
        there = self._folder / name
        if not (there / ".git").exists():
            return False  # nobody has been in it
        commit = self._git("rev-parse", f"{self._branch}:{name}")
        return not git(there, "branch", "--remotes", "--contains", commit)

    def _git(self, *words: str) -> str:
        return git(self._folder, *words, git_dir=self._admin)

    def _listed(self, *words: str) -> list[str]:
        return listed(self._folder, *words, git_dir=self._admin)

    def _succeeds(self, *words: str) -> bool:
        return succeeds(self._folder, *words, git_dir=self._admin)
