"""The commit that merges one branch into another, made beside whatever is checked out."""

from pathlib import Path

from kortana.agent.git import GitError, git, succeeds


class ConflictError(GitError):
    """The two branches have changed the same."""


def merged(root: Path, branch: str, onto: str, message: str) -> tuple[str, str]:
    """The commit that is the tip of `onto`, and the one that merges a branch into it. root: the repository's.

    Raises ConflictError, with git's words on each conflict; GitError.
    """
    head = git(root, "rev-parse", f"refs/heads/{onto}")
    try:
        tree = git(root, "merge-tree", "--write-tree", "--name-only", head, branch)
    except GitError as error:
        if error.code == 1:
            raise ConflictError(str(error)) from None
        raise
    signed = ["-S"] if succeeds(root, "config", "--type=bool", "--get", "commit.gpgsign", "true") else []
    return head, git(root, "commit-tree", *signed, tree, "-p", head, "-p", branch, "-m", message)
