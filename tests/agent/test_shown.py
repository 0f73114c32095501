"""What people are shown of a command-line agent's stream; the events are as the programs of 2026 write them."""

import json
from typing import Any

import pytest

from kortana.agent.headless import Cli, HeadlessRun
from kortana.agent.shown import MAX_SHOWN, Shown

SESSION = {"type": "system", "subtype": "init", "session_id": "s1", "model": "m"}
SERVERS = [{"name": "kortana", "status": "connected"}, {"name": "other", "status": "failed"}]


def lines(stream: str, *events: Any) -> list[str]:
    shown = Shown(stream)
    found = []
    for event in events:
        text = event if isinstance(event, str) else json.dumps(event)
        found += shown.lines(text, event if isinstance(event, dict) else None)
    return found + shown.rest()


def said(*parts: dict[str, Any], kind: str = "assistant") -> dict[str, Any]:
    return {"type": kind, "message": {"role": kind, "content": list(parts)}}


def item(kind: str, stage: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": f"item.{stage}", "item": {"id": "i", "type": kind, **fields}}


@pytest.mark.parametrize(("stream", "event", "told"), [
    ("claude", SESSION, ["session s1, model m"]),
    ("claude", {**SESSION, "mcp_servers": SERVERS}, ["session s1, model m, without the MCP servers other"]),
    ("claude", said({"type": "text", "text": "One.\nTwo."}), ["One.", "Two."]),
    ("claude", said({"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "name": "Bash", "input": {"c": "ls"}}),
     ['> Bash {"c": "ls"}']),
    ("claude", said({"type": "tool_result", "content": "made"}, kind="user"), ["= made"]),
    ("claude", said({"type": "tool_result", "is_error": True, "content": [{"type": "text", "text": "no\nway"}]},
                    kind="user"), ["! no\\nway"]),
    ("claude", {"type": "user", "message": {"role": "user", "content": "the prompt"}}, []),
    ("claude", {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}}, []),
    ("claude", {"type": "rate_limit_event", "rate_limit_info": {"status": "rejected", "rateLimitType": "five_hour"}},
     ["! five_hour: rejected"]),
    ("claude", {"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 10, "error_status": 529},
     ["! tries again (1 of 10): 529"]),
    ("claude", {"type": "result", "is_error": False, "result": "Done."}, []),
    ("claude", {"type": "result", "permission_denials": [{"tool_name": "Bash"}]}, ["! was not allowed to use: Bash"]),
    ("claude", {"type": "result", "is_error": True, "result": "API Error: 400"}, ["! API Error: 400"]),
    ("codex", {"type": "thread.started", "thread_id": "t1"}, ["session t1"]),
    ("codex", {"type": "turn.completed", "usage": {}}, []),
    ("codex", item("agent_message", text="Hi."), ["Hi."]),
    ("codex", item("command_execution", "started", command="ls"), ["> ls"]),
    ("codex", item("command_execution", command="ls", exit_code=0, aggregated_output="a\nb\n"), ["= a\\nb"]),
    ("codex", item("command_execution", command="ls", exit_code=2, aggregated_output="no"), ["! no"]),
    ("codex", item("mcp_tool_call", "started", server="k", tool="why", arguments={"a": 1}), ['> k.why {"a": 1}']),
    ("codex", item("mcp_tool_call", status="failed", error={"message": "no"}), ['! {"message": "no"}']),
    ("codex", item("mcp_tool_call", status="completed", result={"content": [{"type": "text", "text": "x"}]}), ["= x"]),
    ("codex", item("file_change", changes=[{"path": "a.py", "kind": "add"}]), ["> changes a.py"]),
    ("codex", item("reasoning", text="hm"), []),
    ("codex", {"type": "turn.failed", "error": {"message": "limit"}}, ["! limit"]),
    ("gemini", {"type": "init", "session_id": "s", "model": "auto"}, ["session s, model auto"]),
    ("gemini", {"type": "message", "role": "user", "content": "the prompt"}, []),
    ("gemini", {"type": "tool_use", "tool_name": "edit", "parameters": {"p": 1}}, ['> edit {"p": 1}']),
    ("gemini", {"type": "tool_result", "status": "success"}, ["="]),
    ("gemini", {"type": "tool_result", "status": "error", "output": "no such tool"}, ["! no such tool"]),
    ("gemini", {"type": "result", "status": "error", "error": {"message": "quota"}}, ["! quota"]),
    ("opencode", {"type": "step_start", "part": {}}, []),
    ("opencode", {"type": "text", "part": {"text": "Hi."}}, ["Hi."]),
    ("opencode", {"type": "tool_use", "part": {"tool": "w", "state": {"status": "error", "input": {}, "error": "no"}}},
     ["> w {}", "! no"]),
    ("opencode", {"type": "error", "error": {"name": "APIError", "data": {"message": "refused"}}}, ["! refused"]),
])  # fmt: skip
def test_events(stream: str, event: dict[str, Any], told: list[str]) -> None:
    assert lines(stream, event) == told


def test_a_text_in_pieces_is_shown_line_by_line() -> None:
    piece = {"type": "message", "role": "assistant", "delta": True}
    pieces = [{**piece, "content": text} for text in ("I ", "do.\nI", " did")]
    assert lines("gemini", *pieces, {"type": "tool_result", "status": "success"}) == ["I do.", "I did", "="]
    assert lines("gemini", *pieces, "Warning: beside it") == ["I do.", "I did", "Warning: beside it"]


@pytest.mark.parametrize("stream", ["claude", "codex", "gemini", "opencode", "text"])
@pytest.mark.parametrize("event", [
    {}, {"type": 5}, {"type": "new"}, {"type": "assistant"}, {"type": "assistant", "message": {"content": [5]}},
    {"type": "item.completed", "item": None}, {"type": "item.completed", "item": {"type": "new"}},
    {"type": "message", "delta": True, "content": 5}, {"type": "message", "delta": True}, {"type": "text", "part": 5},
    {"type": "error", "error": []}, {"type": "result", "permission_denials": [5]}, {"type": "system", "subtype": "new"},
])  # fmt: skip
def test_what_is_not_known_is_shown_as_it_is(stream: str, event: dict[str, Any]) -> None:
    assert lines(stream, event) in ([json.dumps(event)], [])


def test_nothing_in_it_gives_a_terminal_orders_or_fills_it() -> None:
    text = "\x1b[2Jgone\rover" + "x" * 5_000
    (line,) = lines("claude", said({"type": "text", "text": text}))
    assert line.startswith("\\u001b[2Jgone\\rover") and len(line) == MAX_SHOWN
    (line,) = lines("claude", said({"type": "tool_use", "name": "W", "input": {"c": "y" * 5_000}}))
    assert len(line) < 400 and line.endswith(" ...")


def test_a_run_shows_its_stream_to_people(tmp_path: Any, capfd: pytest.CaptureFixture[str]) -> None:
    piece = {"type": "message", "role": "assistant", "content": "All done.", "delta": True}
    begin = {"type": "init", "session_id": "s", "model": "m"}
    words = ("printf", "%s\n", json.dumps(begin), "plain", json.dumps(piece))
    notes: list[str] = []
    run = HeadlessRun(Cli(words, "gemini", prompt="argument"), 0.0, notes.append)
    ended = run.carry_out("end", tmp_path, {"PATH": "/usr/bin:/bin"}, lambda _: None)
    assert not ended.failed and notes == ["All done."]
    assert capfd.readouterr().out.splitlines() == ["session s, model m", "plain", "All done.", "end"]
