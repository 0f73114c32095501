"""Running git: bounded, in plain English, and with a word for what a dying git may leave half done."""

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

TIMEOUT_S = 120.0
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


class NoRepositoryError(GitError):
    """There is none that work could begin from: whatever the task, a person has to see to that first."""


class GitInterruptedError(GitError):
    """git was killed, by its time limit or from outside: its locks and half its work may lie about."""


def git(folder: Path, *words: str, paths: Iterable[str] | None = None, index: Path | None = None) -> str:
    """The output of a git command in a folder, without its last newline.

    paths: go in on standard input, NUL after each. index: a file to use in place of the folder's own index.
    Raises GitError with the last 500 characters of what git said, GitInterruptedError after TIMEOUT_S.
    """
    environment = {**environment_elsewhere(), "LC_ALL": "C", **({"GIT_INDEX_FILE": str(index)} if index else {})}
    told = None if paths is None else "".join(f"{path}\0" for path in paths)
    try:
        done = subprocess.run(
            ["git", *QUIET, "-C", str(folder), *words], env=environment, input=told, timeout=TIMEOUT_S, check=False,
            stdin=subprocess.DEVNULL if told is None else None, capture_output=True,
            encoding="utf-8", errors="surrogateescape",
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise GitInterruptedError(f"git {words[0]}: {error}") from None
    except OSError as error:
        raise GitError(f"git {words[0]}: {error}") from None
    if done.returncode < 0:
        raise GitInterruptedError(f"git {words[0]}: ended by signal {-done.returncode}")
    if done.returncode:
        raise GitError(f"git {words[0]}: {(done.stderr.strip() or done.stdout.strip())[-500:]}")
    return done.stdout.rstrip("\n")


def environment_elsewhere() -> dict[str, str]:
    """This process's environment, for what works in another repository or worktree: without what a git that runs a
    hook, or `rebase --exec`, says of its own. With `GIT_DIR` every git would work on that one, wherever it stands."""
    return {name: value for name, value in os.environ.items() if name not in _WHERE}


def succeeds(folder: Path, *words: str) -> bool:
    """Whether a git command that answers with its exit code says yes."""
    try:
        git(folder, *words)
    except GitInterruptedError:
        raise
    except GitError:
        return False
    return True


def listed(folder: Path, *words: str) -> list[str]:
    """The names that a git command gives with `-z`."""
    return [name for name in git(folder, *words).split("\0") if name]


def version_of(told: str) -> tuple[int, ...]:
    """(2, 39, 5) of `git version 2.39.5 (Apple Git-154)`."""
    found = re.search(r"(\d+(?:\.\d+)+)", told)
    return tuple(map(int, found[1].split("."))) if found else ()
