"""What people are shown of a command-line agent's stream, in its worker's log: what it says, does, and is told.

`>` begins what it does, `=` what came of it, `!` what went wrong.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from kortana.protocol.legible import legible, legible_lines

CUT = 300
"""Characters of what a tool was given, and of what it gave."""
MAX_SHOWN = 2_000
"""Characters of one line, of whatever it is."""


class Shown:
    """One stream, event by event."""

    def __init__(self, stream: str) -> None:
        self._describe = _DESCRIBE.get(stream)
        self._begun = ""
        """Of a text that comes in pieces, the line that has no end yet."""

    def lines(self, text: str, event: dict[str, Any] | None) -> list[str]:
        """For a line of output, and the event that it is, if it is one. What is not known is shown as it is."""
        if event is None or self._describe is None:
            return [*self.rest(), text[:MAX_SHOWN]]
        try:
            if self._describe is _gemini and event.get("type") == "message" and event.get("delta"):
                return self._piece(event["content"])
            found = self._describe(event)
        except (AttributeError, KeyError, TypeError, ValueError):
            found = None
        return [*self.rest(), *_cut(text if found is None else found)]

    def rest(self) -> list[str]:
        begun, self._begun = self._begun, ""
        return _cut(begun)

    def _piece(self, text: str) -> list[str]:
        *whole, self._begun = (self._begun + text).split("\n")
        return _cut("\n".join(whole))


def _cut(text: str) -> list[str]:
    return [line[:MAX_SHOWN] for line in legible_lines(text).splitlines() if line]


def _short(what: Any) -> str:
    """On one line."""
    text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
    return legible(text[:CUT]) + (" ..." if len(text) > CUT else "")


def _outcome(went_wrong: object, what: Any) -> str:
    return f"{'!' if went_wrong else '='} {_short(what)}".rstrip()


def _texts(content: Any) -> str:
    """Of a tool's answer: its text, or its parts'."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content if content is not None else "")


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)


def _claude(event: dict[str, Any]) -> str | None:
    kind = event["type"]
    if kind in ("assistant", "user"):
        content = event["message"]["content"]
        return _joined(map(_claude_part, content)) if isinstance(content, list) else ""
    if kind == "result":
        if event.get("is_error"):
            return _outcome(True, event.get("result") or event.get("errors") or event.get("subtype"))
        denied = [str(each.get("tool_name")) for each in event.get("permission_denials") or ()]
        return f"! was not allowed to use: {', '.join(denied)}" if denied else ""
    if kind == "rate_limit_event":
        limit = event["rate_limit_info"]
        return "" if limit["status"] == "allowed" else f"! {limit.get('rateLimitType')}: {limit['status']}"
    if kind == "system" and event["subtype"] == "init":
        lacking = [str(server["name"]) for server in event.get("mcp_servers") or () if server["status"] != "connected"]
        missing = f", without the MCP servers {', '.join(lacking)}" if lacking else ""
        return f"session {event['session_id']}, model {event['model']}{missing}"
    if kind == "system" and event["subtype"] == "api_retry":
        why = event.get("error_status") or event.get("error")
        return f"! tries again ({event['attempt']} of {event['max_retries']}): {why}"
    return None


def _claude_part(part: dict[str, Any]) -> str:
    kind = part["type"]
    if kind == "text":
        return str(part["text"])
    if kind == "tool_use":
        return f"> {part['name']} {_short(part['input'])}"
    return _outcome(part.get("is_error"), _texts(part.get("content"))) if kind == "tool_result" else ""


def _codex(event: dict[str, Any]) -> str | None:
    kind = event["type"]
    if kind in ("item.started", "item.updated", "item.completed"):
        return _codex_item(event["item"], kind.removeprefix("item."))
    if kind == "thread.started":
        return f"session {event['thread_id']}"
    if kind == "turn.failed":
        return _outcome(True, event["error"]["message"])
    if kind == "error":
        return _outcome(True, event["message"])
    return "" if kind in ("turn.started", "turn.completed") else None


def _codex_item(item: dict[str, Any], stage: str) -> str | None:
    kind, begins, ends = item["type"], stage == "started", stage == "completed"
    if kind == "agent_message":
        return str(item["text"]) if ends else ""
    if kind == "error":
        return _outcome(True, item["message"]) if ends else ""
    if kind == "command_execution":
        if begins:
            return f"> {_short(item['command'])}"
        return _outcome(item.get("exit_code"), (item.get("aggregated_output") or "").strip()) if ends else ""
    if kind == "mcp_tool_call":
        if begins:
            return f"> {item['server']}.{item['tool']} {_short(item.get('arguments'))}"
        came = item.get("error") or item.get("result") or ""
        told = _texts(came["content"]) if isinstance(came, dict) and "content" in came else came
        return _outcome(item.get("status") == "failed", told) if ends else ""
    if kind == "file_change":
        return f"> changes {_short(', '.join(str(each['path']) for each in item['changes']))}" if ends else ""
    if kind == "web_search":
        return f"> searches {_short(item['query'])}" if ends else ""
    return "" if kind in ("reasoning", "todo_list") else None


def _gemini(event: dict[str, Any]) -> str | None:
    kind = event["type"]
    if kind == "message":
        return str(event["content"]) if event["role"] == "assistant" else ""
    if kind == "init":
        return f"session {event['session_id']}, model {event['model']}"
    if kind == "tool_use":
        return f"> {event['tool_name']} {_short(event.get('parameters'))}"
    if kind == "tool_result":
        return _outcome(event["status"] != "success", event.get("output") or "")
    if kind == "error":
        return _outcome(True, event["message"])
    if kind == "result":
        return _outcome(True, event["error"]["message"]) if event["status"] == "error" else ""
    return None


def _opencode(event: dict[str, Any]) -> str | None:
    kind = event["type"]
    if kind == "error":
        error = event["error"]
        return _outcome(True, (error.get("data") or {}).get("message") or error.get("name"))
    if kind in ("step_start", "step_finish"):
        return ""
    part = event["part"]
    if kind == "text":
        return str(part["text"])
    if kind == "tool_use":
        state = part["state"]
        came = _outcome(state["status"] == "error", state.get("error") or state.get("output") or "")
        return f"> {part['tool']} {_short(state.get('input'))}\n{came}"
    return None


_DESCRIBE: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "claude": _claude, "codex": _codex, "gemini": _gemini, "opencode": _opencode,
}  # fmt: skip
