"""Blocked tasks, and the index of what they wait for."""

from kortana.core.index import set_status
from kortana.core.state import State
from kortana.core.task import BLOCKED, Task


def block(state: State, task: Task, by: str, reason: str, needs: list[str], at: str) -> None:
    """Blocks a task. needs: the tasks whose completion unblocks it. at: when, for people."""
    unblock(state, task)
    task.blocked = True
    task.blocker = {"reason": reason, "needs": list(needs), "by": by}
    task.updated_at = at
    for needed in needs:
        state.needed_by.setdefault(needed, {})[task.id] = None
    set_status(state, task, BLOCKED)


def unblock(state: State, task: Task) -> None:
    """Takes the blocker off a task; its status is the caller's to set."""
    if task.blocker is not None:
        for needed in task.blocker["needs"]:
            waiting = state.needed_by.get(needed, {})
            waiting.pop(task.id, None)
            if not waiting:
                state.needed_by.pop(needed, None)
        task.blocker = None
    task.blocked = False
