"""Keeps the indexes of the state true while tasks come, go and change status."""

from kortana.core.state import State
from kortana.core.task import COMPLETED, FINISHED, PENDING, Task


def set_status(state: State, task: Task, status: str) -> None:
    """Moves a task to a status, and in or out of the ready queue. Wakes its dependants when it completes."""
    was, counts = task.status, state.counts
    counts[was] = counts.get(was, 1) - 1
    counts[status] = counts.get(status, 0) + 1
    if was == PENDING:
        state.ready.discard(task.id)
    task.status = status
    if status in FINISHED:
        state.waiters.is_over(task.id)
    if status == PENDING and not state.unmet.get(task.id):
        state.ready.add(task)
    if (status == COMPLETED) != (was == COMPLETED):
        _dependency_changed(state, task.id, -1 if status == COMPLETED else 1)


def leave_status(state: State, task: Task) -> None:
    """Takes a task out of the count of its status, and out of the ready queue."""
    state.counts[task.status] = state.counts.get(task.status, 1) - 1
    state.ready.discard(task.id)


def _dependency_changed(state: State, name: str, step: int) -> None:
    if name not in state.dependants:
        return
    for dependant in state.dependants[name]:
        unmet = state.unmet[dependant] = state.unmet.get(dependant, 0) + step
        task = state.tasks[dependant]
        if task.status != PENDING:
            continue
        if unmet == 0:
            state.ready.add(task)
        else:
            state.ready.discard(dependant)


def add_task(state: State, task: Task) -> None:
    """Takes a task in; it is ready at once where all it depends on is completed."""
    state.changes += 1
    state.pages.add(task.id)
    state.tasks[task.id] = task
    unmet = 0
    for needed in task.depends_on:
        state.dependants.setdefault(needed, {})[task.id] = None
        unmet += not is_completed(state, needed)
    if unmet:
        state.unmet[task.id] = unmet
    state.counts[task.status] = state.counts.get(task.status, 0) + 1
    if task.status == PENDING and not unmet:
        state.ready.add(task)


def redirect(state: State, task: Task, depends_on: tuple[str, ...]) -> None:
    """Makes a task depend on others than before; its place in the ready queue is the caller's to set."""
    _forget_needs(state, task)
    task.depends_on = depends_on
    for needed in depends_on:
        state.dependants.setdefault(needed, {})[task.id] = None
    unmet = sum(not is_completed(state, name) for name in depends_on)
    if unmet:
        state.unmet[task.id] = unmet


def _forget_needs(state: State, task: Task) -> None:
    state.unmet.pop(task.id, None)
    for needed in task.depends_on:
        state.dependants[needed].pop(task.id, None)
        if not state.dependants[needed]:
            del state.dependants[needed]


def is_completed(state: State, name: str) -> bool:
    """Whether there is a task of that name, and it is completed."""
    return name in state.tasks and state.tasks[name].status == COMPLETED


def remove_task(state: State, task: Task) -> None:
    """Forgets a task that nothing depends on and that has left its status."""
    state.changes += 1
    state.pages.remove(task.id)
    state.waiters.is_over(task.id)
    del state.tasks[task.id]
    _forget_needs(state, task)


def reset_task(task: Task, keep_history: bool) -> None:
    """Out of quarantine, with a fresh count of attempts; without `keep_history`, with a clean slate."""
    task.attempts = 0
    task.quarantined = False
    if not keep_history:
        task.progress = None
        task.crashes = ()
        task.details = ""
        task.result = None
