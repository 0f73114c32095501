"""What can be asked about the task graph over a connection. Read-only, and each answer fits one frame."""

import itertools
from typing import Any

import msgspec

from kortana.core.state import State
from kortana.core.views import agents_view, coverage, summary, why
from kortana.protocol import reasons

PAGE_BYTES = 48 * 1024
MAX_COVERED = 256


def _tasks(state: State, args: dict[str, Any]) -> Any:
    """`{"tasks": [...], "next": index or null}`; args: `from` (index), `status`."""
    start, wanted = int(args.get("from", 0)), args.get("status")
    found: list[Any] = []
    size = 0
    index = start
    for task in itertools.islice(state.tasks.values(), start, None):
        index += 1
        if wanted is not None and task.status != wanted:
            continue
        text = msgspec.json.encode(task)
        if found and size + len(text) > PAGE_BYTES:
            return {"tasks": found, "next": index - 1}
        size += len(text) + 1
        found.append(msgspec.Raw(text))
    return {"tasks": found, "next": None}


def _task(state: State, args: dict[str, Any]) -> Any:
    return state.tasks.get(str(args.get("id")))


def _why(state: State, args: dict[str, Any]) -> Any:
    return why(state, str(args.get("id")))


def _agents(state: State, args: dict[str, Any]) -> Any:
    return agents_view(state)


def _summary(state: State, args: dict[str, Any]) -> Any:
    return {**summary(state), "seq": state.seq}


def _coverage(state: State, args: dict[str, Any]) -> Any:
    paths = [str(path) for path in args.get("paths", ())][:MAX_COVERED]
    return coverage(state, str(args.get("agent")), paths)


QUERIES = {"coverage": _coverage, "tasks": _tasks, "task": _task, "why": _why, "agents": _agents, "summary": _summary}


def answer_query(state: State, command: str, args: dict[str, Any]) -> dict[str, Any]:
    """The ACK payload of a query."""
    try:
        result = QUERIES[command](state, args)
    except (TypeError, ValueError) as error:
        return {"accepted": False, "reason": reasons.BAD_PAYLOAD, "result": {"detail": str(error)}}
    if result is None:
        return {"accepted": False, "reason": reasons.UNKNOWN_TASK}
    return {"accepted": True, "reason": "", "result": result}
