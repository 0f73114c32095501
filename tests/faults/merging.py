"""One attempt at a task in a worktree, as an adapter makes it, in a process that the test kills.

Called as `merging.py REPOSITORY TASK`; writes a file of the task's own and, unless it is a task beside another one,
into two files that every task changes; then merges.
"""

import signal
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
    return tree.merge(f"Merge {task}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]) or 0)
