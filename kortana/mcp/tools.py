"""The tools: what a client's model sees of each, and which event it becomes. Data, and one function a tool."""

from __future__ import annotations

from itertools import islice

from kortana.mcp.rpc import Cancelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kortana.mcp.rpc import Call
    from kortana.mcp.session import Session

MAX_WAIT_S = 25.0
"""Clients give up on a call after 60 s."""

LISTED, MAX_LISTED = 100, 500
"""What a model is shown of many tasks: clients take no answer of more than some ten thousand words."""
STATUSES = ("in_progress", "blocked", "pending", "failed", "completed", "cancelled")
"""In the order in which they matter."""

INSTRUCTIONS = """\
Kortana shares out the tasks of this repository among several agents. Before you change files, take a task with \
claim_task; work on that task only, and only in its `paths`. While you work your lease is renewed for you. When you \
are done, call update_task_status with status completed (or failed, with details). If you cannot go on, call \
report_blocker, or give the task back with release_task. A refused call says why and what to do next. read_inbox \
has messages from the other agents; `why` says what keeps a task from being claimed."""

_TASK: dict[str, Any] = {"type": "string", "description": "The id of a task."}
_OPTIONAL_TEXT: dict[str, Any] = {"type": "string"}


def _schema(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _tool(
    name: str, title: str, description: str, schema: dict[str, Any], read_only: bool = False,
    destructive: bool = False, idempotent: bool = False,
) -> dict[str, Any]:  # fmt: skip
    return {
        "name": name, "title": title, "description": description, "inputSchema": schema,
        "annotations": {
            "title": title, "readOnlyHint": read_only, "destructiveHint": destructive, "idempotentHint": idempotent,
            "openWorldHint": False,
        },
    }  # fmt: skip


TOOLS: list[dict[str, Any]] = [
    _tool(
        "claim_task", "Claim a task",
        "Take a task so that nobody else works on it: the one with this id, or without an id the most urgent one "
        "that you can do. Gives the task with its prompt, its paths (touch no others) and a lease token.",
        _schema([], task_id=_TASK, wait_s={
            "type": "number", "minimum": 0, "maximum": MAX_WAIT_S,
            "description": "How many seconds to wait until it can be had (at most 25; call again to wait longer).",
        }),
    ),
    _tool(
        "heartbeat", "Renew leases", "Say that you are alive; renews your lease on a task, or on all. Happens by "
        "itself while this server runs.", _schema([], task_id=_TASK), idempotent=True,
    ),
    _tool(
        "update_task_status", "Report on a task",
        "Report on a task that you hold: in_progress (with progress in percent), completed, failed (it may be tried "
        "again), blocked, or pending (gives it back).",
        _schema(
            ["task_id", "status"], task_id=_TASK,
            status={"type": "string", "enum": ["in_progress", "blocked", "completed", "failed", "pending"]},
            details=_OPTIONAL_TEXT, progress={"type": "number", "minimum": 0, "maximum": 100},
            result={"type": "string", "description": "What came of it, for the tasks that depend on this one."},
        ),
    ),
    _tool(
        "report_blocker", "Report a blocker",
        "Say that you cannot go on with a task that you hold, and which tasks must be completed first; all other "
        "agents are told to replan.",
        _schema(["task_id", "reason"], task_id=_TASK, reason=_OPTIONAL_TEXT,
                needs={"type": "array", "items": {"type": "string"}}),
    ),
    _tool(
        "release_task", "Give a task back", "Give a task back unfinished, so that another agent can take it.",
        _schema(["task_id"], task_id=_TASK), destructive=True,
    ),
    _tool(
        "list_tasks", "List tasks", "The tasks and where they stand: who holds what, what is ready, what is blocked. "
        "Those that are not over come first.",
        _schema([], status={"type": "string", "enum": list(STATUSES)}, limit={
            "type": "integer", "minimum": 1, "maximum": MAX_LISTED, "description": f"At most so many ({LISTED}).",
        }),
        read_only=True, idempotent=True,
    ),
    _tool("get_task", "Show a task", "Everything about one task.", _schema(["task_id"], task_id=_TASK),
          read_only=True, idempotent=True),
    _tool(
        "add_task", "Add a task", "Put a new task into the graph, for any agent to take.",
        _schema(
            ["task_id", "title"], task_id=_TASK, title=_OPTIONAL_TEXT,
            prompt={"type": "string", "description": "What an agent is to do."},
            run={"type": "string", "description": "A shell command, for the shell adapter."},
            priority={"type": "integer", "description": "Higher first; 50 is usual."},
            depends_on={"type": "array", "items": {"type": "string"}},
            paths={"type": "array", "items": {"type": "string"}, "description": "Globs that are reserved meanwhile."},
        ),
    ),
    _tool(
        "send_message", "Send a message",
        "Send a message to another agent by its name, to operator (the person), or to all.",
        _schema(["text"], to={"type": "string", "description": "An agent's name, operator, or all."},
                text=_OPTIONAL_TEXT, task_id=_TASK),
    ),
    _tool("read_inbox", "Read messages", "Messages and directives that have come for you; each is given once.",
          _schema([], wait_s={"type": "number", "minimum": 0, "maximum": MAX_WAIT_S})),
    _tool("why", "Why a task is not ready", "The chain of causes: who holds a task and until when, or what keeps it "
          "from being claimed.", _schema(["task_id"], task_id=_TASK), read_only=True, idempotent=True),
]  # fmt: skip


class ToolError(Exception):
    """A call that came to nothing: what the model is told, with a next step."""


NEXT_STEPS = {
    "task_already_leased": "take another with claim_task without an id, or wait with wait_s",
    "nothing_ready": "nothing can be claimed just now: wait with wait_s, or see list_tasks",
    "unknown_task": "list_tasks shows the tasks; add_task adds one",
    "stale_lease": "the lease is no longer yours: stop working on the task, and claim one again",
    "not_owner": "you do not hold it: claim it first",
    "task_terminal": "it is over: claim another one",
    "task_blocked": "`why` says what it waits for",
    "dependencies_unmet": "`why` says which tasks must be completed first",
    "path_conflict": "its paths are in another's hands: claim another task, or wait with wait_s",
    "missing_capability": "it is for agents with other capabilities: claim another one",
    "too_many_leases": "finish or release a task that you hold first",
    "task_quarantined": "it has failed too often: a person must bring it back with `kortana tasks retry`",
    "unavailable": "Kortana cannot write just now (is the disk full?): try again later",
    "shutting_down": "Kortana is going down: stop here",
    "task_exists": "there is a task with this id: get_task shows it",
    "bad_payload": "mend the arguments and call again",
}


def _claim(session: Session, args: dict[str, Any], call: Call) -> Any:
    wait = min(float(args.get("wait_s", 0.0)), MAX_WAIT_S)
    answer = session.submit("TASK_CLAIM", args.get("task_id"), {"wait_s": wait}, call.key, wait)
    task, lease = answer["task"]["id"], answer["lease"]
    try:
        call.settle()
    except Cancelled:
        session.give_back(task, lease)
        raise
    session.hold(task, lease)
    return {"task": answer["task"], "lease": lease}


def _heartbeat(session: Session, args: dict[str, Any], call: Call) -> Any:
    task = args.get("task_id")
    return session.submit("HEARTBEAT", task, session.with_token(task, {}), call.key)["result"]


def _update(session: Session, args: dict[str, Any], call: Call) -> Any:
    task = args["task_id"]
    told = ("status", "details", "progress", "result")
    payload: dict[str, Any] = {name: value for name, value in args.items() if name in told}
    if "progress" in payload:
        payload["progress"] = float(payload["progress"])
    answer = session.submit("TASK_UPDATE", task, session.with_token(task, payload), call.key)
    if args["status"] in ("completed", "failed", "pending"):
        session.let_go(task)
    return {"task": answer["task"]}


def _block(session: Session, args: dict[str, Any], call: Call) -> Any:
    task = args["task_id"]
    payload = {"reason": args["reason"], "needs": args.get("needs", [])}
    return {"task": session.submit("BLOCKER", task, session.with_token(task, payload), call.key)["task"]}


def _release(session: Session, args: dict[str, Any], call: Call) -> Any:
    task = args["task_id"]
    answer = session.submit("TASK_RELEASE", task, session.with_token(task, {}), call.key)
    session.let_go(task)
    return {"task": answer["task"]}


def _list(session: Session, args: dict[str, Any], call: Call) -> Any:
    limit = max(1, min(args.get("limit", LISTED), MAX_LISTED))
    counts: dict[str, int] = session.query("summary")["by_status"]
    wanted = [args["status"]] if "status" in args else [status for status in STATUSES if counts.get(status)]
    found: list[Any] = []
    for status in wanted:
        found += islice(session.all_tasks(status), limit - len(found))
    answer: dict[str, Any] = {"tasks": [_brief(task) for task in found], "by_status": counts}
    left = sum(counts.get(status, 0) for status in wanted) - len(found)
    if left > 0:
        answer["more"] = f"{left} more are not shown: ask for a status, or with a larger limit"
    return answer


def _brief(task: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "title", "status", "owner", "priority", "progress", "depends_on", "paths", "blocker", "attempts")
    return {name: task[name] for name in names if task.get(name) not in (None, "", [])}


def _get(session: Session, args: dict[str, Any], call: Call) -> Any:
    return {"task": session.query("task", id=args["task_id"])}


def _add(session: Session, args: dict[str, Any], call: Call) -> Any:
    payload = {name: value for name, value in args.items() if name != "task_id"}
    return {"task": session.submit("TASK_ADD", args["task_id"], payload, call.key)["task"]}


def _send(session: Session, args: dict[str, Any], call: Call) -> Any:
    session.submit("INFO", args.get("task_id"), {"text": args["text"]}, call.key, target=args.get("to", "all"))
    return {"sent_to": args.get("to", "all")}


def _inbox(session: Session, args: dict[str, Any], call: Call) -> Any:
    events, more = session.inbox(min(float(args.get("wait_s", 0.0)), MAX_WAIT_S), call)
    return {"events": events, **({"more": "there may be more: call again"} if more else {})}


def _why(session: Session, args: dict[str, Any], call: Call) -> Any:
    return session.query("why", id=args["task_id"])


CALLS: dict[str, Callable[[Session, dict[str, Any], Call], Any]] = {
    "claim_task": _claim, "heartbeat": _heartbeat, "update_task_status": _update, "report_blocker": _block,
    "release_task": _release, "list_tasks": _list, "get_task": _get, "add_task": _add, "send_message": _send,
    "read_inbox": _inbox, "why": _why,
}  # fmt: skip

_TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "integer": (int,), "array": (list,)}


def full_names(tool: dict[str, Any], args: dict[str, Any]) -> dict[str, Any]:
    """`wait`, as the Python interface has it, is `wait_s`."""
    properties: dict[str, Any] = tool["inputSchema"]["properties"]
    if "wait" not in args or "wait_s" in args or "wait_s" not in properties:
        return args
    return {"wait_s" if name == "wait" else name: value for name, value in args.items()}


def wrong_arguments(tool: dict[str, Any], args: dict[str, Any]) -> str:
    """What is wrong with a call's arguments by the tool's schema; empty where nothing is."""
    schema: dict[str, Any] = tool["inputSchema"]
    required: list[str] = schema["required"]
    for name in required:
        if name not in args:
            return f"{name} is missing"
    properties: dict[str, Any] = schema["properties"]
    for name, value in args.items():
        known: dict[str, Any] | None = properties.get(name)
        if known is None:
            return f"{name} is not known; known: {', '.join(properties)}"
        if not isinstance(value, _TYPES[known["type"]]) or isinstance(value, bool):
            return f"{name}: {known['type']} is needed"
        choices: list[str] = known.get("enum") or []
        if choices and value not in choices:
            return f"{name}: one of {', '.join(choices)} is needed"
        elements: Any = value
        if known["type"] == "array" and not all(isinstance(item, str) for item in elements):
            return f"{name}: strings are needed"
    return ""
