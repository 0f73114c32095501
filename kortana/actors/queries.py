"""What can be asked about the task graph over a connection. Read-only, and each answer fits one frame."""

from collections.abc import Callable
from typing import Any

import msgspec

from kortana.core.state import State
from kortana.core.views import agents_view, coverage, summary, why
from kortana.protocol import calls, reasons

PAGE_BYTES = 48 * 1024
MAX_LOOKED = 5_000


def _tasks(state: State, args: calls.TaskPage) -> Any:
    """`{"tasks": [...], "next": where to go on or null}`. Bounded in what it gives, and in what it looks at."""
    found: list[Any] = []
    size = 0
    for looked, (place, name) in enumerate(state.pages.names(args.start)):
        if looked == MAX_LOOKED:
            return {"tasks": found, "next": place}
        task = state.tasks[name]
        if args.status is not None and task.status != args.status:
            continue
        text = msgspec.json.encode(task)
        if found and size + len(text) > PAGE_BYTES:
            return {"tasks": found, "next": place}
        size += len(text) + 1
        found.append(msgspec.Raw(text))
    return {"tasks": found, "next": None}


def _task(state: State, args: calls.OneTask) -> Any:
    return state.tasks.get(args.id)


def _why(state: State, args: calls.OneTask) -> Any:
    return why(state, args.id)


def _agents(state: State, args: calls.Nothing) -> Any:
    return agents_view(state)


def _summary(state: State, args: calls.Nothing) -> Any:
    return {**summary(state), "seq": state.seq}


def _coverage(state: State, args: calls.Paths) -> Any:
    return coverage(state, args.agent, list(args.paths))


_ANSWERS: dict[str, Callable[[State, Any], Any]] = {
    "coverage": _coverage, "tasks": _tasks, "task": _task, "why": _why, "agents": _agents, "summary": _summary,
}  # fmt: skip


def answer_query(state: State, command: str, args: Any) -> dict[str, Any]:
    """The ACK payload of a query. args: as `calls.read_args` gives them."""
    result = _ANSWERS[command](state, args)
    if result is None:
        return {"accepted": False, "reason": reasons.UNKNOWN_TASK}
    return {"accepted": True, "reason": "", "result": result}
