"""The command-line agents: how each is run headless, and how its stream of JSON lines is read. Data and small readers.

Sources: `--help` of Claude Code 2.1.197, codex-cli 0.169.0, Gemini CLI 0.61.0, opencode 1.18.33, and their documented
JSON event streams.
"""

from collections.abc import Callable
from typing import Any

import msgspec


class Outcome(msgspec.Struct):
    """What a run came to, as far as its stream told."""

    text: str = ""
    error: str = ""
    cost_usd: float | None = None
    tokens: int | None = None
    steps: int = 0
    """Messages and tool calls so far: a sign of progress."""
    note: str = ""
    """The latest thing that it did, in a few words."""


def _claude(event: dict[str, Any], out: Outcome) -> None:
    kind = event.get("type")
    if kind == "assistant":
        for part in _parts(event.get("message")):
            out.steps += 1
            if part.get("type") == "text":
                out.text = out.note = str(part.get("text", ""))
            elif part.get("type") == "tool_use":
                out.note = f"uses {part.get('name')}"
    elif kind == "result":
        out.text = str(event.get("result") or out.text)
        out.cost_usd = event.get("total_cost_usd")
        usage = event.get("usage") or {}
        out.tokens = int(usage.get("input_tokens", 0)) + int(usage.get("output_tokens", 0))
        if event.get("is_error"):
            out.error = str(event.get("result") or event.get("subtype"))


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
        out.cost_usd = (out.cost_usd or 0.0) + float(part.get("cost") or 0.0)
        tokens = part.get("tokens") or {}
        out.tokens = (out.tokens or 0) + int(tokens.get("input", 0)) + int(tokens.get("output", 0))
    elif kind == "error":
        error = event.get("error") or {}
        out.error = str((error.get("data") or {}).get("message") or error.get("name") or error)


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
    install: str = ""
    """How to get it."""


KNOWN: dict[str, Cli] = {
    "claude": Cli(
        ("claude", "-p", "--output-format", "stream-json", "--verbose", "--permission-mode", "acceptEdits"), "claude",
        install="npm install -g @anthropic-ai/claude-code",
    ),
    "codex": Cli(
        ("codex", "exec", "--json", "--sandbox", "workspace-write", "--skip-git-repo-check", "-"), "codex",
        install="npm install -g @openai/codex",
    ),
    "gemini": Cli(
        ("gemini", "--output-format", "stream-json", "--approval-mode", "auto_edit"), "gemini",
        install="npm install -g @google/gemini-cli",
    ),
    "opencode": Cli(
        ("opencode", "run", "--format", "json"), "opencode", prompt="argument", install="npm install -g opencode-ai",
    ),
}  # fmt: skip

QUOTA_WORDS = (
    "usage limit", "rate limit", "rate_limit", "quota", "too many requests", "resource_exhausted", "credit balance",
    "overloaded",
)  # fmt: skip


LAST_WORDS = 3
"""So many of the last lines of plain output may say why it ended."""


def why_failed(cli: Cli, outcome: Outcome, lines: list[str]) -> str:
    """What a failed run says of its failure: its stream's error, else what stands beside the stream. What the agent
    itself has written is no reason: its task may be about quotas."""
    if outcome.error:
        return outcome.error
    beside = lines[-LAST_WORDS:] if cli.stream == "text" else [line for line in lines if not line.startswith("{")]
    return "\n".join(beside)


def is_quota(text: str) -> bool:
    """Whether an error says that the account's quota is used up."""
    lowered = text.lower()
    return any(word in lowered for word in QUOTA_WORDS)
