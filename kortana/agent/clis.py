"""The command-line agents: how each is run headless, and how its stream of JSON lines is read. Data and small readers.

Sources: Claude Code 2.1.197, codex-cli 0.171.0, Gemini CLI 0.61.0 and opencode 1.18.33 as they ran against a model of
ours (`make clis`), and the messages that stand in these programs.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec


class Outcome(msgspec.Struct):
    """What a run came to, as far as its stream told."""

    text: str = ""
    error: str = ""
    """Why it failed; what a stream says of a failure that it got over is taken back."""
    quota: bool = False
    """It failed because the account's quota is used up: the stream has a field for it."""
    locked_out: bool = False
    """It failed because nobody is logged in, or the key is refused: as above."""
    denied: tuple[str, ...] = ()
    """Tools that it wanted and was not allowed to use."""
    cost_usd: float | None = None
    tokens: int | None = None
    steps: int = 0
    """Messages and tool calls so far: a sign of progress."""
    note: str = ""
    """The latest thing that it did, in a few words."""


_CLAUDE_QUOTA_ERRORS = ("rate_limit", "billing_error", "overloaded")
_QUOTA_STATUSES = (429, 529)
_CLAUDE_LOCKED_OUT = ("authentication_failed", "oauth_org_not_allowed")
_UNAUTHORIZED = 401
_CLAUDE_TOKENS = ("input", "cache_creation_input", "cache_read_input", "output")


def _claude(event: dict[str, Any], out: Outcome) -> None:
    kind = event.get("type")
    if kind == "assistant":
        out.quota = event.get("error") in _CLAUDE_QUOTA_ERRORS
        out.locked_out = event.get("error") in _CLAUDE_LOCKED_OUT
        for part in _parts(event.get("message")):
            out.steps += 1
            if part.get("type") == "text":
                out.text = out.note = str(part.get("text", ""))
            elif part.get("type") == "tool_use":
                out.note = f"uses {part.get('name')}"
    elif kind == "result":
        out.text = str(event.get("result") or out.text)
        out.cost_usd = event.get("total_cost_usd")
        out.quota = out.quota or event.get("api_error_status") in _QUOTA_STATUSES
        out.locked_out = out.locked_out or event.get("api_error_status") == _UNAUTHORIZED
        out.denied = tuple(dict.fromkeys(str(each["tool_name"]) for each in event.get("permission_denials") or ()))
        if event.get("is_error"):
            errors = "; ".join(map(str, event.get("errors") or ()))
            out.error = str(event.get("result") or errors or event.get("subtype"))
        usage = event.get("usage") or {}
        out.tokens = sum(int(usage.get(f"{name}_tokens") or 0) for name in _CLAUDE_TOKENS)


def _parts(message: Any) -> list[dict[str, Any]]:
    content = message.get("content") if isinstance(message, dict) else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _codex(event: dict[str, Any], out: Outcome) -> None:
    kind = event.get("type")
    if kind == "item.completed":
        item = event.get("item") or {}
        out.steps += 1
        if item.get("type") == "agent_message":
            out.text = out.note = str(item.get("text", ""))
        else:
            out.note = str(item.get("command") or item.get("type"))
    elif kind == "turn.completed":
        out.error = ""
        usage = event.get("usage") or {}
        out.tokens = (out.tokens or 0) + int(usage.get("input_tokens", 0)) + int(usage.get("output_tokens", 0))
    elif kind in ("turn.failed", "error"):
        error = event.get("error")
        out.error = str(error.get("message") if isinstance(error, dict) else event.get("message") or error)


def _gemini(event: dict[str, Any], out: Outcome) -> None:
    kind = event.get("type")
    if kind == "message" and event.get("role") == "assistant":
        out.steps += 1
        text = str(event.get("content", ""))
        out.text = out.text + text if event.get("delta") else text
        out.note = out.text[-200:]
    elif kind == "tool_use":
        out.steps += 1
        out.note = f"uses {event.get('tool_name')}"
    elif kind == "result":
        out.tokens = (event.get("stats") or {}).get("total_tokens")
        out.error = ""
        if event.get("status") == "error":
            error = event.get("error") or {}
            out.error = str(error.get("message") if isinstance(error, dict) else error)
    elif kind == "error" and event.get("severity") != "warning":
        out.error = str(event.get("message"))


def _opencode(event: dict[str, Any], out: Outcome) -> None:
    kind, part = event.get("type"), event.get("part") or {}
    if kind == "text":
        out.steps += 1
        out.text = out.note = str(part.get("text", ""))
    elif kind == "tool_use":
        out.steps += 1
        out.note = f"uses {part.get('tool')}"
    elif kind == "step_finish":
        out.error = ""
        out.cost_usd = (out.cost_usd or 0.0) + float(part.get("cost") or 0.0)
        tokens = part.get("tokens") or {}
        out.tokens = (out.tokens or 0) + int(tokens.get("total") or tokens.get("input", 0) + tokens.get("output", 0))
    elif kind == "error":
        error = event.get("error") or {}
        data = error.get("data") or {}
        out.locked_out = error.get("name") == "ProviderAuthError" or data.get("statusCode") == _UNAUTHORIZED
        out.error = str(data.get("message") or error.get("name") or error)


def _text(event: dict[str, Any], out: Outcome) -> None:
    """For plain output: each line is the text so far."""


READERS: dict[str, Callable[[dict[str, Any], Outcome], None]] = {
    "claude": _claude, "codex": _codex, "gemini": _gemini, "opencode": _opencode, "text": _text,
}  # fmt: skip


class Cli(msgspec.Struct, frozen=True):
    """How one command-line agent is run."""

    command: tuple[str, ...]
    stream: str = "text"
    """Which reader its output has."""
    prompt: str = "stdin"
    """`stdin`, or `argument`: appended to the command."""
    locked_out_codes: tuple[int, ...] = ()
    """Exit codes that say that nobody is logged in."""
    environment: tuple[tuple[str, str], ...] = ()
    """Variables that it needs where nobody sits before it; the worker's own `env` goes first."""
    install: str = ""
    """How to get it."""


_TOOLS = (
    "list_tasks", "get_task", "why", "update_task_status", "report_blocker", "send_message", "read_inbox", "heartbeat",
)  # fmt: skip
"""What an agent may use of `kortana mcp` without asking anybody. No `add_task`: a task's `run` is a command, which a
shell worker carries out, whatever the agent itself may run."""

KNOWN: dict[str, Cli] = {
    "claude": Cli(
        (
            "claude", "-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits",
            "--allowedTools", ",".join(f"mcp__kortana__{tool}" for tool in _TOOLS),
        ), "claude", install="npm install -g @anthropic-ai/claude-code",
    ),
    "codex": Cli(
        ("codex", "exec", "--json", "--sandbox", "workspace-write", "--skip-git-repo-check", "-"), "codex",
        install="npm install -g @openai/codex",
    ),
    "gemini": Cli(
        ("gemini", "--output-format", "stream-json", "--approval-mode", "auto_edit"), "gemini",
        locked_out_codes=(41,), environment=(("GEMINI_CLI_TRUST_WORKSPACE", "true"),),
        install="npm install -g @google/gemini-cli",
    ),
    "opencode": Cli(
        ("opencode", "run", "--format", "json", "--print-logs", "--log-level", "ERROR"), "opencode",
        install="npm install -g opencode-ai",
    ),
}  # fmt: skip

_QUOTA = re.compile(
    r"(usage|rate|session|weekly|monthly|spend|spending)[ _]limit|hit your [^.]{0,40}limit|quota|too many requests"
    r"|resource.exhausted|credit balance|out of [a-z ]{0,30}(usage|credits)|spend cap|at capacity|overloaded"
    r"|(rejected|status|error|http):? \(?429"
)


_LOCKED_OUT = re.compile(r"not logged in|401 unauthorized|unauthenticated|authentication_error|invalid api key")


LAST_WORDS = 3
"""So many of the last lines of plain output may say why it ended."""


def words_beside(cli: Cli, lines: list[str]) -> str:
    """What a CLI's last lines say that is no part of its stream: of a failure that the stream does not tell of."""
    beside = lines[-LAST_WORDS:] if cli.stream == "text" else [line for line in lines if not line.startswith("{")]
    return "\n".join(beside)


def is_quota(text: str) -> bool:
    """Whether an error says that the account's quota is used up, or that the provider takes no more for now."""
    return _QUOTA.search(text.lower()) is not None


def is_locked_out(error: str) -> bool:
    """Whether the error of a stream says that nobody is logged in, or that the key is refused."""
    return _LOCKED_OUT.search(error.lower()) is not None
