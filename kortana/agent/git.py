"""Running git: bounded, in plain English, and with a word for what a dying git may leave half done."""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

TIMEOUT_S = 120.0
FILES_TIMEOUT_S = 3600.0
"""Of what may touch every file of a large repository, or fetch them (git-lfs), or run a person's hook."""
MOST_NAMED = 5
MERGES_SINCE = (2, 38)
"""The first git that merges beside a checkout (`merge-tree --write-tree`)."""
QUIET = ("-c", "gc.auto=0", "-c", "maintenance.auto=0", "--literal-pathspecs")
"""No upkeep in the background: it would outlive the task, and be killed in the midst of it."""


_WHERE = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_DIR", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_WORK_TREE",
    }
)  # fmt: skip
"""Of `git rev-parse --local-env-vars` those that say where a repository is; the others are a person's settings."""


class GitError(Exception):
    """What git said when it refused."""

    def __init__(self, told: str, code: int = 0) -> None:
        super().__init__(told)
        self.code = code
        """git's exit code, where that is what it refused with."""


class UnreadyRepositoryError(GitError):
    """No work can begin or end here, whatever the task: a person has to see to that first."""


class BusyCheckoutError(GitError):
    """The person's checkout cannot move just now. What stands in the way is the person's to clear, not an agent's."""


class GitInterruptedError(GitError):
    """git was killed, by its time limit or from outside: its locks and half its work may lie about."""


def git(
    folder: Path,
    *words: str,
    paths: Iterable[str] | None = None,
    index: Path | None = None,
    git_dir: Path | None = None,
    hooks: bool = True,
    timeout_s: float = TIMEOUT_S,
) -> str:
    """The output of a git command in a folder, without its last newline.

    paths: go in on standard input, NUL after each. index: a file to use in place of the folder's own index. git_dir:
    what the folder is the work tree of, whatever it says itself. hooks: whether git runs them.
    Raises GitError with the last 500 characters of what git said, GitInterruptedError after timeout_s seconds.
    """
    environment = {**environment_elsewhere(), "LC_ALL": "C"}
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    if git_dir is not None:
        environment.update(GIT_DIR=str(git_dir), GIT_WORK_TREE=str(folder))
    options = QUIET if hooks else (*QUIET, "-c", f"core.hooksPath={os.devnull}")
    given = None if paths is None else "".join(f"{path}\0" for path in paths)
    try:
        done = subprocess.run(
            ["git", *options, "-C", str(folder), *words], env=environment, input=given, timeout=timeout_s, check=False,
            stdin=subprocess.DEVNULL if given is None else None, capture_output=True,
            encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise GitInterruptedError(f"git {words[0]}: {error}") from None
    except OSError as error:
        raise GitError(f"git {words[0]}: {error}") from None
    if done.returncode < 0:
        raise GitInterruptedError(f"git {words[0]}: ended by signal {-done.returncode}")
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip())[-500:]
        raise GitError(f"git {words[0]}: {told}", done.returncode)
    return done.stdout.rstrip("\n")


def environment_elsewhere() -> dict[str, str]:
    """This process's environment, for what works in another repository or worktree: without what a git that runs a
    hook, or `rebase --exec`, says of its own. With `GIT_DIR` every git would work on that one, wherever it stands."""
    return {name: value for name, value in os.environ.items() if name not in _WHERE}


def said(folder: Path, *words: str, index: Path | None = None, git_dir: Path | None = None) -> str | None:
    """What a git command says that may have nothing to say, and then fails: None."""
    try:
        return git(folder, *words, index=index, git_dir=git_dir)
    except GitInterruptedError:
        raise
    except GitError:
        return None


def succeeds(folder: Path, *words: str, index: Path | None = None, git_dir: Path | None = None) -> bool:
    """Whether a git command that answers with its exit code says yes."""
    return said(folder, *words, index=index, git_dir=git_dir) is not None


def listed(folder: Path, *words: str, git_dir: Path | None = None) -> list[str]:
    """The names that a git command gives with `-z`."""
    return [name for name in git(folder, *words, git_dir=git_dir).split("\0") if name]


def named(names: list[str]) -> str:
    """The first few of some paths, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def version_of(told: str) -> tuple[int, ...]:
    """(2, 39, 5) of `git version 2.39.5 (Apple Git-154)`."""
    found = re.search(r"(\d+(?:\.\d+)+)", told)
    return tuple(map(int, found[1].split("."))) if found else ()
