"""What a new task may be: its fields, and that no task ever depends on itself."""

from collections.abc import Mapping, Sequence

from msgspec.structs import asdict

from kortana.core.state import State
from kortana.core.task import Task
from kortana.protocol import payloads
from kortana.protocol.names import is_name

MAX_PRIORITY = 1_000_000
MAX_ATTEMPTS = 1000


def wrong_with(name: str, task: payloads.TaskAdd, max_lease_ttl_s: float) -> str:
    """What is wrong with a task's fields, as `field: what it may be`; empty where nothing is."""
    if not is_name(name):
        return "task_id: 1 to 64 of A-Z a-z 0-9 . _ -, beginning with a letter or a digit"
    for label, names in (("depends_on", task.depends_on), ("requires", task.requires)):
        if len(names) > payloads.MAX_REFERENCES or not all(is_name(item) for item in names):
            return f"{label}: at most {payloads.MAX_REFERENCES} names"
    if len(task.paths) > payloads.MAX_PATHS or not all(0 < len(p) <= payloads.MAX_PATTERN for p in task.paths):
        return f"paths: at most {payloads.MAX_PATHS} patterns of 1 to {payloads.MAX_PATTERN} characters"
    if not -MAX_PRIORITY <= task.priority <= MAX_PRIORITY:
        return f"priority: {-MAX_PRIORITY} to {MAX_PRIORITY}"
    if task.lease_ttl_s is not None and not 0 < task.lease_ttl_s <= max_lease_ttl_s:
        return f"lease_ttl_s: more than 0, at most {max_lease_ttl_s:g} (coordinator.max_lease_ttl)"
    if task.max_attempts is not None and not 1 <= task.max_attempts <= MAX_ATTEMPTS:
        return f"max_attempts: 1 to {MAX_ATTEMPTS}"
    return ""


def differences(task: Task, asked: payloads.TaskAdd) -> list[str]:
    """The fields in which a task is other than was asked, in the words of TASK_ADD."""
    there = {
        "title": task.title, "run": task.run, "prompt": task.prompt, "priority": task.priority,
        "depends_on": set(task.depends_on), "paths": task.paths, "requires": set(task.requires),
        "lease_ttl_s": task.ttl_s, "max_attempts": task.max_attempts if asked.max_attempts is not None else None,
    }  # fmt: skip
    wanted = {**asdict(asked), "depends_on": set(asked.depends_on), "requires": set(asked.requires)}
    return [name for name, value in there.items() if value != wanted[name]]


def closes_cycle(state: State, name: str, depends_on: Sequence[str]) -> bool:
    """Whether a task that depends on these would depend on itself."""
    return cycle_among(state, {name: depends_on}) is not None


def cycle_among(state: State, added: Mapping[str, Sequence[str]]) -> str | None:
    """A task of `added` (task → what it depends on) that would depend on itself, with what is there already.

    Where there was no cycle, each new one leads through a new task that others name already; or lies in `added`.
    """
    for name, depends_on in added.items():
        if name in depends_on:
            return name
        if name in state.dependants and _leads_to(state, added, name):
            return name
    return None


def _leads_to(state: State, added: Mapping[str, Sequence[str]], name: str) -> bool:
    seen, todo = set(added[name]), list(added[name])
    while todo:
        step = todo.pop()
        task = state.tasks.get(step)
        for needed in added.get(step) or (task.depends_on if task else ()):
            if needed == name:
                return True
            if needed not in seen:
                seen.add(needed)
                todo.append(needed)
    return False
