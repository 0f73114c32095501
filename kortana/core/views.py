"""What people and programs are shown of the state: agent_state.json, `tasks show`, `why`."""

from collections.abc import Iterator
from typing import Any

from kortana.core.claiming import unmet_dependencies
from kortana.core.index import is_completed
from kortana.core.state import State, agent_status
from kortana.core.task import BLOCKED, COMPLETED, FAILED, FINISHED, TERMINAL, Task

MAX_UNFINISHED = 20
MAX_CAUSES, MAX_CAUSE, MAX_DEPTH = 100, 400, 8
"""What `why` names: so many causes of so many characters, that it fits into a frame; and so far down."""


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
    """Whether nothing more will happen to any task by itself: each is completed, cancelled, or quarantined, or waits
    for one that will never complete. So it is where each that is not over waits for another one that is there: whoever
    could go on would wait for none. (One that waits for a task that is not there yet, or for a person, may go on.)"""
    over = sum(state.counts.get(status, 0) for status in FINISHED)
    return over == len(state.tasks) or all(_waits_for_another(state, task) for task in _live(state))


def everybody_waits(state: State) -> bool:
    """Whether nobody holds a task, and all who are there wait for one, though there are some to be had."""
    if not state.ready or len(state.deadlines):
        return False
    up = [agent.name for agent in state.agents.values() if agent.up]
    return bool(up) and all(map(state.waiters.is_waiting, up))


def nobody_takes_any(state: State) -> bool:
    """Where everybody waits: whether no task that is there is what they wait for, or will be. O(tasks)."""
    return all(task.id in state.ready or _waits_for_another(state, task) for task in _live(state))


def _live(state: State) -> Iterator[Task]:
    return (task for task in state.tasks.values() if task.status not in FINISHED)


def unfinished(state: State) -> list[dict[str, Any]]:
    """Tasks that were not completed, each with its first cause: `{"id", "status", "why"}`; at most 20."""
    found: list[dict[str, Any]] = []
    for task in state.tasks.values():
        if task.status not in TERMINAL:
            found.append({"id": task.id, "status": task.status, "why": _causes_of(state, task)[0]["detail"]})
            if len(found) == MAX_UNFINISHED:
                break
    return found


def _waits_for_another(state: State, task: Task) -> bool:
    if task.owner is not None:
        return False
    needs = task.blocker["needs"] if task.status == BLOCKED and task.blocker is not None else task.depends_on
    return any(name in state.tasks and state.tasks[name].status != COMPLETED for name in needs)


def why(state: State, name: str) -> dict[str, Any] | None:
    """The chain of causes of where a task stands, each named once; None for an unknown task."""
    task = state.tasks.get(name)
    if task is None:
        return None
    return {"task": name, "status": task.status, "causes": _causes_of(state, task)}


def _causes_of(state: State, task: Task) -> list[dict[str, Any]]:
    """At least one."""
    causes = _Causes(state)
    causes.add_those_of(task, depth=0)
    return causes.found


def _cause(kind: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "detail": detail if len(detail) <= MAX_CAUSE else detail[: MAX_CAUSE - 3] + "...", **more}


class _Causes:
    """Found depth first. Many tasks may need the same ones: what was named is not gone into again."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._named: set[str] = set()
        self._is_full = False
        self.found: list[dict[str, Any]] = []

    def add_those_of(self, task: Task, depth: int) -> None:
        """The first task is `it`; those further down are called by their names."""
        before, it = len(self.found), task.id if depth else "it"
        if task.status in TERMINAL:
            self.found.append(_cause("terminal", f"{task.id} is {task.status}"))
            return
        if task.status == FAILED:
            detail = f"{task.id} is quarantined: {task.details}"
            self.found.append(_cause("quarantined", detail, attempts=task.attempts))
            return
        if task.owner is not None:
            until = f"{task.owner} holds {it} until {task.lease_expiry} unless it renews"
            self.found.append(
                _cause("leased", until, owner=task.owner, until=task.lease_expiry, token=task.lease_token)
            )
        if task.status == BLOCKED:
            self._add_blocker(task, depth)
        needs = unmet_dependencies(self._state, task)
        for needed in needs:
            self._add_needed(needed, depth, "dependency", "depends on")
        if len(self.found) == before and not needs:
            self.found += _obstacles(self._state, task, it)

    def _add_blocker(self, task: Task, depth: int) -> None:
        """By a BLOCKER; or by an update, which says no more than that."""
        blocker, on = task.blocker or {}, f" on {task.id}" if depth else ""
        needs: list[str] = blocker.get("needs", [])
        detail = f"{blocker['by']} reported{on}: {blocker['reason']}" if blocker else task.details
        detail = detail or f"{task.id} was said to be blocked"
        if task.owner is None and not needs:
            detail += f" (`kortana tasks release {task.id}` puts it back to work)"
        self.found.append(_cause("blocked", detail, **({} if depth else {"needs": needs})))
        for needed in needs:
            if not is_completed(self._state, needed):
                self._add_needed(needed, depth, "need", "needs")

    def _add_needed(self, name: str, depth: int, kind: str, verb: str) -> None:
        if name in self._named or self._is_full:
            return
        if len(self.found) >= MAX_CAUSES:
            self._is_full = True
            self.found.append(_cause("more", "and more than can be named here"))
            return
        self._named.add(name)
        needed = self._state.tasks.get(name)
        if needed is None:
            self.found.append(_cause(f"missing_{kind}", f"{verb} {name}, which does not exist", task_id=name))
            return
        self.found.append(_cause(kind, f"{verb} {name}, which is {needed.status}", task_id=name))
        if depth < MAX_DEPTH:
            self.add_those_of(needed, depth + 1)


def _obstacles(state: State, task: Task, it: str) -> list[dict[str, Any]]:
    found = []
    obstacle = state.reserved.in_the_way(task.paths) if task.paths else None
    if obstacle is not None:
        holder = obstacle[0]
        owner = state.tasks[holder].owner
        paths = "its paths" if it == "it" else f"the paths of {it}"
        found.append(_cause("path_conflict", f"{paths} meet those of {holder}, held by {owner}", task_id=holder))
    able = [a for a in state.agents.values() if a.up and set(a.capabilities).issuperset(task.requires)]
    if not able:
        needs = ", ".join(task.requires) or "any agent"
        found.append(_cause("no_agent", f"no agent is up that can do {it} (needs {needs})"))
    full = [a for a in able if len(a.tasks) >= state.limits.max_leases_per_agent]
    if able and len(full) == len(able):
        found.append(_cause("too_many_leases", f"every agent that can do {it} holds all the leases it may"))
    waiting = list(state.waiters.for_task(task.id))
    if able and waiting and not found and not any(waiter.takes(task) for waiter in waiting):
        asked = ", ".join(sorted(frozenset[str]().union(*(waiter.having for waiter in waiting))))
        detail = f"those that wait for a task ask for one with {asked}, which {it} has not"
        found.append(_cause("not_asked_for", detail))
    return found or [_cause("ready", f"ready: the next agent that asks can have {it}")]
