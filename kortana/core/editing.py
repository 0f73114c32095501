"""What a person may change of a task by hand: which fields, to which values, and what follows for its status."""

from typing import Any

import msgspec

from kortana.core.index import redirect, set_status
from kortana.core.state import State
from kortana.core.task import BLOCKED, CANCELLED, COMPLETED, FAILED, IN_PROGRESS, PENDING, Task
from kortana.protocol import payloads

_STATUSES = (PENDING, COMPLETED, CANCELLED, FAILED)
_CLEARED: dict[str, Any] = {
    "owner": None, "lease_expiry": None, "lease_token": None, "lease_ttl_s": None, "blocked": False, "blocker": None,
    "quarantined": False, "crashes": [],
}  # fmt: skip
"""Fields that may only be cleared: nobody gets a lease by an edit."""
_AS_ADDED = {
    "title": "title", "run": "run", "prompt": "prompt", "priority": "priority", "depends_on": "depends_on",
    "paths": "paths", "requires": "requires", "ttl_s": "lease_ttl_s", "max_attempts": "max_attempts",
}  # fmt: skip
"""Field → the field of TASK_ADD that says what it may be."""
_FREE = frozenset({"status", "details", "progress", "attempts", "result"})


def wrong_with_edit(changes: dict[str, Any]) -> str:
    """What is wrong with the changed fields taken by themselves; empty where nothing is."""
    for name, value in changes.items():
        if name in _CLEARED:
            if value != _CLEARED[name]:
                return f"{name}: can only be cleared ({_CLEARED[name]!r}), not set to {value!r}"
        elif name not in _FREE and name not in _AS_ADDED:
            return f"{name}: is not a field that can be edited"
    if (status := changes.get("status", PENDING)) not in _STATUSES:
        return f"status: one of {', '.join(_STATUSES)}, not {status!r}"
    if not isinstance(changes.get("details", ""), str):
        return "details: a string is needed"
    progress, attempts = changes.get("progress"), changes.get("attempts", 0)
    if progress is not None and (type(progress) not in (int, float) or not 0 <= progress <= 100):
        return "progress: null, or 0 to 100"
    if type(attempts) is not int or not 0 <= attempts <= 1000:
        return "attempts: 0 to 1000"
    return ""


def as_added(changes: dict[str, Any]) -> payloads.TaskAdd | str:
    """The changed fields in TASK_ADD's terms, or what is wrong with their types."""
    fields = {_AS_ADDED[name]: value for name, value in changes.items() if name in _AS_ADDED}
    return payloads.read_payload(payloads.TaskAdd, fields)


def status_after(task: Task, changes: dict[str, Any]) -> str:
    """The status that an edit leads to: without an owner nothing is in progress, without a blocker nothing blocked."""
    if "status" in changes:
        return str(changes["status"])
    lost_owner = task.status == IN_PROGRESS and "owner" in changes
    unblocked = task.status == BLOCKED and ("blocker" in changes or changes.get("blocked") is False)
    if unblocked and task.owner is not None and "owner" not in changes:
        return IN_PROGRESS
    return PENDING if lost_owner or unblocked or (task.status == FAILED and "quarantined" in changes) else task.status


def keeps_lease(task: Task, changes: dict[str, Any], status: str) -> bool:
    return "owner" not in changes and "status" not in changes and status in (IN_PROGRESS, BLOCKED)


def apply_edit(state: State, task: Task, changes: dict[str, Any], status: str) -> None:
    """Sets the fields and brings the indexes after them. The lease and the blocker have been seen to."""
    added = as_added(changes)
    assert isinstance(added, payloads.TaskAdd)
    if "depends_on" in changes:
        redirect(state, task, tuple(dict.fromkeys(added.depends_on)))
    if "paths" in changes:
        if task.owner is not None:
            state.reserved.remove(task.id, task.paths)
            state.reserved.add(task.id, added.paths)
            state.ready.unpark(task.paths)
        task.paths = added.paths
    if "requires" in changes:
        task.requires = tuple(sorted(set(added.requires)))
    for name in ("title", "run", "prompt", "priority", "ttl_s", "max_attempts"):
        if name in changes:
            setattr(task, name, getattr(added, _AS_ADDED[name]))
    task.max_attempts = task.max_attempts or state.limits.max_attempts
    if status == PENDING and task.status == FAILED:
        task.attempts = 0
    for name in ("details", "progress", "attempts", "result"):
        if name in changes:
            setattr(task, name, changes[name])
    if status == COMPLETED:
        task.progress = 100.0
    task.quarantined = status == FAILED
    if "crashes" in changes:
        task.crashes = ()
    set_status(state, task, status)


def addition(fields: dict[str, Any]) -> payloads.TaskAdd | str:
    """A task that a person has written into task_graph.json: what TASK_ADD takes, and `status: pending`."""
    known = {_AS_ADDED.get(name, name): value for name, value in fields.items() if name not in ("id", "status")}
    if fields.get("status", PENDING) != PENDING:
        return "status: a new task is pending"
    allowed = {field.name for field in msgspec.structs.fields(payloads.TaskAdd)}
    ignored = set(msgspec.structs.asdict(Task("")))
    for name in known:
        if name not in allowed and name not in ignored:
            return f"{name}: is not a field of a task"
    return payloads.read_payload(payloads.TaskAdd, {k: v for k, v in known.items() if k in allowed})
