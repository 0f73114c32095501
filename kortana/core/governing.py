"""The task graph as people change it: add, cancel, reset, remove, assign; and events that are only passed on."""

from typing import Any

from kortana.core.adding import closes_cycle, wrong_with
from kortana.core.editing import addition, as_added, status_after, wrong_with_edit
from kortana.core.holding import unblock_needing
from kortana.core.task import COMPLETED, PENDING, TERMINAL, Task
from kortana.core.turn import Turn
from kortana.protocol import event as ev
from kortana.protocol import payloads, reasons
from kortana.protocol.event import Event


def decide_add(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """TASK_ADD: takes a new task into the graph."""
    if event.task_id is None:
        return turn.refuse(conn, event, reasons.MISSING_TASK_ID)
    asked = payloads.read_payload(payloads.TaskAdd, event.payload)
    wrong = asked if isinstance(asked, str) else _wrong_in(turn, event.task_id, asked)
    if isinstance(asked, str) or wrong:
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, wrong)
    if event.task_id in turn.state.tasks:
        return turn.refuse(conn, event, reasons.TASK_EXISTS)
    if closes_cycle(turn.state, event.task_id, asked.depends_on):
        return turn.refuse(conn, event, reasons.DEPENDENCY_CYCLE)
    return turn.accept(conn, event, task={"id": event.task_id, "status": PENDING})


def _wrong_in(turn: Turn, name: str, task: payloads.TaskAdd) -> str:
    return wrong_with(name, task, turn.state.limits.max_lease_ttl_s)


def _known(turn: Turn, conn: int, event: Event) -> Task | None:
    if event.task_id is None:
        turn.refuse(conn, event, reasons.MISSING_TASK_ID)
        return None
    task = turn.state.tasks.get(event.task_id)
    if task is None:
        turn.refuse(conn, event, reasons.UNKNOWN_TASK)
    return task


def _tell_former(turn: Turn, owner: str | None, task: Task, reason: str) -> None:
    if owner is not None:
        turn.directive(owner, task.id, {"instruction": "lease_released", "reason": reason})


def decide_cancel(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """TASK_CANCEL: ends a task for good; its holder is told."""
    task = _known(turn, conn, event)
    if task is None:
        return None
    if task.status in TERMINAL:
        return turn.refuse(conn, event, reasons.TASK_TERMINAL, f"the task is {task.status}")
    owner = task.owner
    turn.accept(conn, event, task={"id": task.id, "status": "cancelled"})
    return _tell_former(turn, owner, task, "cancelled_by_operator")


def decide_reset(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """TASK_RESET: pending again; with mode `retry`, only a quarantined task, keeping what is known of it."""
    asked = payloads.read_payload(payloads.Reset, event.payload)
    if isinstance(asked, str) or asked.mode not in ("reset", "retry"):
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, "mode: reset or retry")
    task = _known(turn, conn, event)
    if task is None:
        return None
    if asked.mode == "retry" and not task.quarantined:
        return turn.refuse(conn, event, reasons.BAD_STATUS, f"the task is {task.status}, not quarantined")
    owner = task.owner
    turn.accept(conn, event, task={"id": task.id, "status": PENDING})
    return _tell_former(turn, owner, task, "reset_by_operator")


def decide_edit(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """OPERATOR_EDIT: removes a task that nothing depends on, changes fields of one, or adds one."""
    asked = payloads.read_payload(payloads.Edit, event.payload)
    if isinstance(asked, str):
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, asked)
    if asked.remove + (asked.set is not None) + (asked.add is not None) != 1:
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, "one of remove: true, set and add is needed")
    if asked.add is not None:
        return _edit_in(turn, conn, event, asked.add)
    task = _known(turn, conn, event)
    if task is None:
        return None
    return _edit_out(turn, conn, event, task) if asked.set is None else _edit(turn, conn, event, task, asked.set)


def _edit_in(turn: Turn, conn: int, event: Event, fields: dict[str, Any]) -> None:
    added = addition(fields)
    name = event.task_id or ""
    wrong = added if isinstance(added, str) else _wrong_in(turn, name, added)
    if isinstance(added, str) or wrong:
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, wrong)
    if name in turn.state.tasks:
        return turn.refuse(conn, event, reasons.TASK_EXISTS)
    if closes_cycle(turn.state, name, added.depends_on):
        return turn.refuse(conn, event, reasons.DEPENDENCY_CYCLE, "depends_on: it would depend on itself")
    return turn.accept(conn, event, task={"id": name, "status": PENDING})


def _edit_out(turn: Turn, conn: int, event: Event, task: Task) -> None:
    if turn.state.dependants.get(task.id):
        detail = "needed by " + ", ".join(list(turn.state.dependants[task.id])[:5])
        return turn.refuse(conn, event, reasons.FORBIDDEN, detail)
    owner = task.owner
    turn.accept(conn, event, task={"id": task.id, "status": "removed"})
    return _tell_former(turn, owner, task, "removed_by_operator")


def _edit(turn: Turn, conn: int, event: Event, task: Task, changes: dict[str, Any]) -> None:
    added = as_added(changes)
    wrong = wrong_with_edit(changes) or (added if isinstance(added, str) else _wrong_in(turn, task.id, added))
    if isinstance(added, str) or wrong:
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, wrong)
    if "depends_on" in changes and closes_cycle(turn.state, task.id, added.depends_on):
        return turn.refuse(conn, event, reasons.DEPENDENCY_CYCLE, "depends_on: it would depend on itself")
    owner, status = task.owner, status_after(task, changes)
    turn.accept(conn, event, task={"id": task.id, "status": status})
    if status == COMPLETED:
        unblock_needing(turn, task.id)
    return None if task.owner == owner else _tell_former(turn, owner, task, "edited_by_operator")


def decide_assign(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """TASK_ASSIGN: asks an agent to take a task; it lands in the agent's mailbox, and the agent claims."""
    if _known(turn, conn, event) is None:
        return None
    if event.target not in turn.state.agents:
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, f"target: no agent {event.target!r}")
    return turn.accept(conn, event)


_NO_AGENTS = frozenset({ev.ALL, ev.COORDINATOR, ev.SUPERVISOR, ev.OPERATOR})
"""Targets that are no agents. What is for one of them alone stands in the journal, where people see it."""


def decide_message(turn: Turn, conn: int, event: Event, tied: bool) -> None:
    """INFO, REQUEST_REVIEW, MERGE_READY, DIRECTIVE: into the mailbox of the target."""
    if event.target not in _NO_AGENTS and event.target not in turn.state.agents:
        return turn.refuse(conn, event, reasons.BAD_PAYLOAD, f"target: no agent {event.target!r}")
    return turn.accept(conn, event)
