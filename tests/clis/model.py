"""A language model for Claude Code, codex, Gemini CLI and opencode, on loopback: it does what the prompt says.

The prompt has one of: `WRITE name` (a file, by the agent's own tool), `USE tool {arguments}` (of `kortana mcp`),
`STUMBLE n` (the first answer to that number is none), `REFUSE`, `LIMIT`, `HANG`; else it says that all is done.
"""

import json
import re
import sys
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DONE = "All done."
CONTENT = "made by the model\n"
SPENT = "You have exceeded your current quota"
SCRIPT = re.compile(r"(WRITE) ([a-z.]+)|(USE) (\w+) (\{[^}]*\})|(STUMBLE) (\d+)|(REFUSE)|(LIMIT)|(HANG)")


class Model(ThreadingHTTPServer):
    """Serves until it is closed. hung: how many requests wait for ever; requests: the newest, for who looks into it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hung = 0
        self.requests: list[tuple[str, Any]] = []
        self._stumbled: set[str] = set()
        self._lock = threading.Lock()
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who has gone does not read; anything else is to be seen."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def take(self, path: str, body: Any) -> None:
        with self._lock:
            self.requests = [*self.requests[-99:], (path, body)]

    def stumbles(self, number: str) -> bool:
        with self._lock:
            first = number not in self._stumbled
            self._stumbled.add(number)
            return first

    def hang(self) -> None:
        with self._lock:
            self.hung += 1
        self.closing.wait()


class _Handler(BaseHTTPRequestHandler):
    server: Model
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(200, {})

    def do_GET(self) -> None:
        self._answer(200, {"data": [], "models": []})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
        path = self.path.partition("?")[0]
        self.server.take(path, body)
        for end, speak in _SPEAKERS.items():
            if path.endswith(end):
                return speak(self, body)
        return self._answer(200, {"totalTokens": 10, "input_tokens": 10})

    def script(self, said: Any) -> tuple[str, ...]:
        """What to do: its word and the words for it. said: all that is the person's, and the tools'."""
        text = json.dumps(said, ensure_ascii=False).replace(r"\n", " ").replace("\\", "")
        found = SCRIPT.search(text)
        word, *more = [part for part in found.groups() if part] if found else ["SAY"]
        if word == "STUMBLE" and not self.server.stumbles(more[0]):
            word = "SAY"
        if word == "HANG":
            self.server.hang()
        return (word, *more)

    def _answer(self, status: int, body: Any, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def refuse(self, error: dict[str, Any], *, spent: bool, **headers: str) -> None:
        self._answer(429 if spent else 400, {"type": "error", "error": error}, **headers)

    def stream(self, events: Iterable[dict[str, Any] | str], whole: bool = True) -> None:
        """Server-sent events; an event that has a type is named by it. whole: else it breaks off after the last one."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            named = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
            text = event if isinstance(event, str) else json.dumps(event)
            data = f"{named}data: {text}\n\n".encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()
        if whole:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True


def _anthropic(http: _Handler, body: dict[str, Any]) -> None:
    said = [message for message in body["messages"] if message["role"] == "user"]
    word, *more = http.script(said)
    if word == "LIMIT":
        headers = {"status": "rejected", "reset": str(int(time.time()) + 3600), "representative_claim": "five_hour"}
        unified = {f"anthropic_ratelimit_unified_{name}": value for name, value in headers.items()}
        return http.refuse(
            {"type": "rate_limit_error", "message": "This would exceed your account's limit"}, spent=True,
            x_should_retry="false", retry_after="3600", **unified,
        )  # fmt: skip
    if word == "REFUSE":
        return http.refuse({"type": "invalid_request_error", "message": "the model refuses this"}, spent=False)
    usage = {"input_tokens": 100, "output_tokens": 20}
    message = {"id": "m1", "type": "message", "role": "assistant", "model": body["model"], "content": []}
    start = {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}}
    if word == "STUMBLE":
        return http.stream([start], whole=False)
    block, delta, stop = {"type": "text", "text": ""}, {"type": "text_delta", "text": DONE}, "end_turn"
    if word in ("WRITE", "USE") and "tool_result" not in json.dumps(said):
        name, arguments = "Write", json.dumps({"file_path": more[0], "content": CONTENT})
        if word == "USE":
            name, arguments = f"mcp__kortana__{more[0]}", more[1]
        block = {"type": "tool_use", "id": "t1", "name": name, "input": {}}  # type: ignore[dict-item]
        delta, stop = {"type": "input_json_delta", "partial_json": arguments}, "tool_use"
    if not body.get("stream"):  # as it asks again where a stream broke off
        content = [{"type": "text", "text": DONE}]
        return http._answer(200, {**message, "content": content, "stop_reason": stop, "usage": usage})
    return http.stream([
        start, {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta}, {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 20}},
        {"type": "message_stop"},
    ])  # fmt: skip


def _responses(http: _Handler, body: dict[str, Any]) -> None:
    said = [item for item in body["input"] if item.get("role") != "developer"]
    word, *more = http.script(said)
    if word == "LIMIT":
        return http.refuse({"type": "usage_limit_reached", "message": SPENT, "plan_type": "plus"}, spent=True)
    if word == "REFUSE":
        return http.refuse({"type": "invalid_request_error", "message": "the model refuses this"}, spent=False)
    if word == "STUMBLE":
        return http.stream([], whole=False)
    item: dict[str, Any] = {
        "type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": DONE}],
    }  # fmt: skip
    if word in ("WRITE", "USE") and "function_call_output" not in json.dumps(said):
        item = {"type": "function_call", "id": "f1", "call_id": "c1"}
        if word == "WRITE":
            item.update(name="exec_command", arguments=json.dumps({"cmd": f"printf '{CONTENT}' > {more[0]}"}))
        else:
            item.update(name=more[0], namespace="mcp__kortana", arguments=more[1])
    usage = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 20,
             "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 120}  # fmt: skip
    return http.stream([
        {"type": "response.created", "response": {"id": "r1"}},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": "r1", "usage": usage}},
    ])  # fmt: skip


def _gemini(http: _Handler, body: dict[str, Any]) -> None:
    is_stream = "stream" in http.path
    config = body.get("generationConfig", {})
    if config.get("responseJsonSchema") or config.get("responseSchema"):  # its question which model is to be used
        return _say_gemini(http, {"text": json.dumps({"reasoning": "x", "model_choice": "flash"})}, is_stream)
    said = body["contents"]
    word, *more = http.script(said)
    if word == "LIMIT":
        violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
        details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
        error = {"code": 429, "message": SPENT, "status": "RESOURCE_EXHAUSTED", "details": details}
        return http.refuse(error, spent=True)
    if word == "REFUSE":
        error = {"code": 400, "message": "the model refuses this", "status": "INVALID_ARGUMENT"}
        return http.refuse(error, spent=False)
    if word == "STUMBLE":
        return http.stream([])  # empty: of one that breaks off it makes a failure
    part: dict[str, Any] = {"text": DONE}
    if word in ("WRITE", "USE") and "functionResponse" not in json.dumps(said):
        call = {"name": "write_file", "args": {"file_path": more[0], "content": CONTENT}}
        if word == "USE":
            call = {"name": f"mcp_kortana_{more[0]}", "args": json.loads(more[1])}
        part = {"functionCall": call}
    return _say_gemini(http, part, is_stream)


def _say_gemini(http: _Handler, part: dict[str, Any], is_stream: bool) -> None:
    answer = {
        "candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120},
    }  # fmt: skip
    return http.stream([answer]) if is_stream else http._answer(200, answer)


def _chat(http: _Handler, body: dict[str, Any]) -> None:
    said = [message for message in body["messages"] if message["role"] in ("user", "tool")]
    word, *more = http.script(said)
    if word == "LIMIT":
        return http.refuse({"type": "insufficient_quota", "message": SPENT}, spent=True)
    if word == "REFUSE":
        return http.refuse({"type": "invalid_request_error", "message": "the model refuses this"}, spent=False)
    if word == "STUMBLE":
        return http.stream([], whole=False)
    delta: dict[str, Any] = {"role": "assistant", "content": DONE}
    if word in ("WRITE", "USE") and body.get("tools") and said[-1]["role"] != "tool":
        name, arguments = "write", json.dumps({"filePath": more[0], "content": CONTENT})
        if word == "USE":
            name, arguments = f"kortana_{more[0]}", more[1]
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
        delta = {"role": "assistant", "tool_calls": [call]}
    finish = "tool_calls" if "tool_calls" in delta else "stop"
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return http.stream([
        {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        {**chunk, "choices": [], "usage": usage}, "[DONE]",
    ])  # fmt: skip


_SPEAKERS = {
    "/messages": _anthropic, "/responses": _responses, "/chat/completions": _chat, "enerateContent": _gemini,
}  # fmt: skip
