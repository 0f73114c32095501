"""One attempt at a task in a worktree, as an adapter makes it, in a process that the test kills.

Called as `merging.py REPOSITORY TASK`; writes a file of the task's own and, unless it is a task beside another one,
into two files that every task changes; then merges. A task named "rewritten..." finds by then that a person has
amended the commit that it has begun from.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from kortana.agent.worktree import Worktree


def main(repository: Path, task: str) -> str:
    tree = Worktree(repository, task)
    (tree.folder / "made").mkdir(exist_ok=True)
    (tree.folder / "made" / task).write_text(task)
    if not task.startswith("beside"):
        edits = tree.folder / "edits.txt"
        lines = edits.read_text().split()
        if task not in lines:
            edits.write_text("\n".join([*lines, task]) + "\n")
        (tree.folder / "going.txt").write_text(task)
    tree.commit(task)
    if task.startswith("rewritten"):
        _amend(repository)
    return tree.follow() or tree.merge(f"Merge {task}")


def _amend(repository: Path) -> None:
    """As a person does, whom nobody kills."""
    environment = {**os.environ, "POINTS": ""}
    words = ("commit", "--quiet", "--amend", "--only", "--allow-empty", "--message", f"amended by {os.getpid()}")
    subprocess.run([environment["GIT"], "-C", repository, *words], check=True, env=environment)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]) or 0)
