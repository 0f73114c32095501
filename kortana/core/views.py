"""What people and programs are shown of the state: agent_state.json, `tasks show`, `why`."""

from typing import Any

from kortana.core.claiming import unmet_dependencies
from kortana.core.state import State, agent_status
from kortana.core.task import BLOCKED, CANCELLED, COMPLETED, FAILED, FINISHED, IN_PROGRESS, TERMINAL, Task


def agents_view(state: State) -> dict[str, Any]:
    """The `agents` of agent_state.json."""
    return {
        agent.name: {
            "status": agent_status(agent, state, state.waiters.is_waiting(agent.name)),
            "task_id": next(iter(agent.tasks), None),
            "tasks": list(agent.tasks),
            "heartbeat": agent.heartbeat,
            "incarnation": agent.incarnation,
            "pid": agent.pid,
            "mailbox": len(agent.mailbox),
            "dropped": agent.dropped,
        }
        for agent in state.agents.values()
    }


def coverage(state: State, agent: str, paths: list[str]) -> dict[str, dict[str, Any]]:
    """For each path: whether a live lease of `agent` covers it, and who else's does."""
    found = {}
    for path in paths:
        holders = [(name, state.tasks[name].owner) for name in state.reserved.covering(path)]
        found[path] = {
            "mine": [name for name, owner in holders if owner == agent],
            "others": [{"task": name, "owner": owner} for name, owner in holders if owner != agent],
        }
    return found


def summary(state: State) -> dict[str, Any]:
    """How many tasks stand where."""
    counts = {status: n for status, n in state.counts.items() if n > 0}
    return {"total": len(state.tasks), "by_status": counts, "ready": len(state.ready)}


def all_finished(state: State) -> bool:
    """Whether nothing more will happen to any task by itself: each is completed, cancelled, or quarantined, or
    waits for one that will never complete."""
    dead = state.counts.get(FAILED, 0) + state.counts.get(CANCELLED, 0)
    if state.counts.get(COMPLETED, 0) + dead == len(state.tasks):
        return True
    if not dead:
        return False
    live = (task for task in state.tasks.values() if task.status not in FINISHED)
    return all(task.owner is None and _is_stuck(state, task) for task in live)


def _is_stuck(state: State, task: Task) -> bool:
    seen: set[str] = set()
    todo = list(unmet_dependencies(state, task))
    while todo:
        name = todo.pop()
        needed = state.tasks.get(name)
        if needed is not None and needed.status in (FAILED, "cancelled"):
            return True
        if needed is not None and name not in seen:
            seen.add(name)
            todo += unmet_dependencies(state, needed)
    return False


def why(state: State, name: str) -> dict[str, Any] | None:
    """The chain of causes of where a task stands; None for an unknown task."""
    task = state.tasks.get(name)
    if task is None:
        return None
    return {"task": name, "status": task.status, "causes": _causes(state, task, depth=0)}


def _cause(kind: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "detail": detail, **more}


def _causes(state: State, task: Task, depth: int) -> list[dict[str, Any]]:
    found = []
    if task.status in TERMINAL:
        return [_cause("terminal", f"{task.id} is {task.status}")]
    if task.status == FAILED:
        return [_cause("quarantined", f"{task.id} is quarantined: {task.details}", attempts=task.attempts)]
    if task.owner is not None:
        until = f"{task.owner} holds it until {task.lease_expiry} unless it renews"
        found.append(_cause("leased", until, owner=task.owner, until=task.lease_expiry, token=task.lease_token))
    if task.status == BLOCKED and task.blocker is not None:
        detail = f"{task.blocker['by']} reported: {task.blocker['reason']}"
        if task.owner is None and not task.blocker["needs"]:
            detail += f" (`kortana tasks release {task.id}` puts it back to work)"
        found.append(_cause("blocked", detail, needs=task.blocker["needs"]))
    for needed in unmet_dependencies(state, task):
        found += _dependency_causes(state, needed, depth)
    if not found:
        found = _obstacles(state, task)
    return found


def _dependency_causes(state: State, name: str, depth: int) -> list[dict[str, Any]]:
    needed = state.tasks.get(name)
    if needed is None:
        return [_cause("missing_dependency", f"depends on {name}, which does not exist", task_id=name)]
    found = [_cause("dependency", f"depends on {name}, which is {needed.status}", task_id=name)]
    if depth < 8 and needed.status not in (IN_PROGRESS, COMPLETED):
        found += _causes(state, needed, depth + 1)
    return found


def _obstacles(state: State, task: Task) -> list[dict[str, Any]]:
    found = []
    holder = state.reserved.holder_of(task.paths, but=task.id) if task.paths else None
    if holder is not None:
        owner = state.tasks[holder].owner
        found.append(_cause("path_conflict", f"its paths meet those of {holder}, held by {owner}", task_id=holder))
    able = [a for a in state.agents.values() if a.up and set(a.capabilities).issuperset(task.requires)]
    if not able:
        needs = ", ".join(task.requires) or "any agent"
        found.append(_cause("no_agent", f"no agent is up that can do it (needs {needs})"))
    full = [a for a in able if len(a.tasks) >= state.limits.max_leases_per_agent]
    if able and len(full) == len(able):
        found.append(_cause("too_many_leases", "every agent that can do it holds all the leases it may"))
    return found or [_cause("ready", "ready: the next agent that asks can have it")]
