"""`kortana mcp`: MCP over stdio. Loads next to nothing before it has answered `initialize`.

Source: the Model Context Protocol's specifications of 2024-11-05 to 2025-11-25. A line is a JSON-RPC message,
or a batch of them.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from itertools import islice

from kortana.mcp import rpc
from kortana.mcp.offer import offer
from kortana.mcp.rpc import Batch, Call, Cancelled, RpcError, failure, is_id
from kortana.mcp.tools import CALLS, ToolError, full_names, wrong_arguments
from kortana.protocol.names import is_agent_name
from kortana.protocol.parsing import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from kortana.mcp.rpc import Reply
    from kortana.mcp.session import Session

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
STRUCTURED_SINCE = "2025-06-18"
MAX_LINE = 1 << 20
MAX_RUNNING = 32
MAX_RESOURCE_TASKS, MAX_RESOURCE_BYTES = 1000, 1 << 20
RESOURCES = {
    "kortana://tasks": ("tasks", f"The tasks and where they stand, at most {MAX_RESOURCE_TASKS}, and about 1 MiB."),
    "kortana://agents": ("agents", "Every agent: its status, and what it holds."),
    "kortana://events": ("events", "The last events of the journal."),
}
_CALL_KEYS = ("toolUseId", "toolCallId", "callId", "call_id", "idempotencyKey")
"""How clients name a call in `_meta`, perhaps with a prefix: the same name is the same call."""


class Server:
    """One client on stdin and stdout. Calls run beside each other; answers are written whole."""

    def __init__(self, name: str | None, root: str | None) -> None:
        self._name, self._root = name, root
        self._offer = offer(os.environ.get("KORTANA_TASK") if name in (None, os.environ.get("KORTANA_AGENT")) else None)
        self._client = "mcp"
        self._version = VERSIONS[0]
        self._session: Session | None = None
        self._lock = threading.Lock()
        self._running: dict[Any, Call] = {}
        """By request id."""
        self._out = sys.stdout.buffer

    def serve(self) -> int:
        """Until stdin closes; then everything that the client held is let go."""
        try:
            while line := sys.stdin.buffer.readline(MAX_LINE + 1):
                if len(line) > MAX_LINE:
                    self._send(failure(None, rpc.PARSE_ERROR, f"a line of more than {MAX_LINE} bytes"))
                    return 1
                if line.strip():
                    self._take(line)
        except (KeyboardInterrupt, BrokenPipeError):
            pass
        finally:
            if self._session is not None:
                self._session.close()
        return 0

    def _take(self, line: bytes) -> None:
        try:
            message = parse_json(line)
        except ValueError:
            return self._send(failure(None, rpc.PARSE_ERROR, "not JSON"))
        if not isinstance(message, list):
            return self._dispatch(message, self._reply)
        if not message:
            return self._send(failure(None, rpc.INVALID_REQUEST, "a batch of no messages"))
        batch = Batch(len(message), self._send)
        for each in message:
            self._dispatch(each, batch.take)
        return None

    def _dispatch(self, message: Any, reply: Reply) -> None:
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            reply(failure(None, rpc.INVALID_REQUEST, "not a JSON-RPC 2.0 message"))
        elif "method" not in message:
            reply(None)  # an answer to a request that this server has not made
        elif "id" not in message:
            self._notification(message["method"], message.get("params"))
            reply(None)
        elif not is_id(message["id"]) or not isinstance(message["method"], str):
            reply(failure(None, rpc.INVALID_REQUEST, "id: a string or an integer is needed; method: a string"))
        else:
            self._request(message["id"], message["method"], message.get("params") or {}, reply)

    def _notification(self, method: Any, params: Any) -> None:
        """Nobody waits for an answer: one that makes no sense is passed over."""
        if method == "notifications/cancelled" and isinstance(params, dict) and is_id(params.get("requestId")):
            call = self._running.get(params["requestId"])
            if call is not None:
                call.cancel()

    def _request(self, request_id: str | int, method: str, params: Any, reply: Reply) -> None:
        if method not in ("tools/call", "resources/read"):
            return self._answer(request_id, method, params, Call(), reply)
        if request_id in self._running:
            return reply(failure(request_id, rpc.INVALID_REQUEST, "the call with this id is not answered yet"))
        if len(self._running) >= MAX_RUNNING:
            return reply(failure(request_id, rpc.BUSY, f"more than {MAX_RUNNING} calls at once"))
        call = self._running[request_id] = Call(_call_key(params.get("_meta")) if isinstance(params, dict) else None)
        from kortana.processes.threads import starting_threads

        how = (request_id, method, params, call, reply)
        try:
            with starting_threads():
                threading.Thread(target=self._answer, args=how, name="call", daemon=True).start()
        except OSError:
            self._answer(*how)
        return None

    def _answer(self, request_id: Any, method: str, params: Any, call: Call, reply: Reply) -> None:
        answer: dict[str, Any] | None = None
        try:
            handler = _METHODS.get(method)
            if handler is None:
                raise RpcError(rpc.NO_METHOD, f"no method {method}")
            if not isinstance(params, dict):
                raise RpcError(rpc.BAD_PARAMS, "params: an object is needed")
            result = handler(self, params, call)
            call.settle()
            answer = {"jsonrpc": "2.0", "id": request_id, "result": result}
        except Cancelled:
            pass
        except RpcError as error:
            answer = failure(request_id, error.code, str(error))
        except Exception as error:
            answer = failure(request_id, rpc.INTERNAL, f"{type(error).__name__}: {error}")
        self._running.pop(request_id, None)
        reply(answer)

    def _reply(self, answer: dict[str, Any] | None) -> None:
        if answer is not None:
            self._send(answer)

    def _send(self, message: dict[str, Any] | list[dict[str, Any]]) -> None:
        data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        with self._lock:
            try:
                self._out.write(data)
                self._out.flush()
            except (BrokenPipeError, ValueError):
                pass

    # methods

    def _initialize(self, params: dict[str, Any], call: Call) -> dict[str, Any]:
        from kortana import __version__

        wanted = params.get("protocolVersion")
        self._version = wanted if wanted in VERSIONS else VERSIONS[0]
        client = params.get("clientInfo")
        self._client = str(client.get("name", "mcp")) if isinstance(client, dict) else "mcp"
        return {
            "protocolVersion": self._version,
            "capabilities": {"tools": {"listChanged": False}, "resources": {"listChanged": False, "subscribe": False}},
            "serverInfo": {"name": "kortana", "title": "Kortana", "version": __version__},
            "instructions": self._offer.instructions,
        }

    def _session_now(self) -> Session:
        with self._lock:
            if self._session is None:
                from kortana.mcp.session import Session, agent_name

                self._session = Session(agent_name(self._client, self._name), self._root)
            return self._session

    def _call(self, params: dict[str, Any], call: Call) -> dict[str, Any]:
        name, args = params.get("name"), params.get("arguments") or {}
        tool = self._offer.tool(name)
        if tool is None and name in CALLS:
            return _tool_error(f"{name} is not for within a task. Next: go on with {self._offer.task}, then end.")
        if tool is None:
            raise RpcError(rpc.BAD_PARAMS, f"no tool {name!r}")
        wrong = "arguments: an object is needed"
        if isinstance(args, dict):
            args = full_names(tool, args)
            wrong = wrong_arguments(tool, args)
        if wrong:
            return _tool_error(f"{wrong}. Next: mend the arguments and call again.")
        session = self._session_now()
        try:
            found = CALLS[str(name)](session, args, call)
        except ToolError as error:
            return _tool_error(str(error))
        text = json.dumps(found, ensure_ascii=False)
        result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": False}
        if self._version >= STRUCTURED_SINCE:
            result["structuredContent"] = found
        return result

    def _read(self, params: dict[str, Any], call: Call) -> dict[str, Any]:
        uri = params.get("uri")
        if not isinstance(uri, str) or uri not in RESOURCES:
            raise RpcError(rpc.RESOURCE_NOT_FOUND, f"no resource {uri!r}; there are: {', '.join(RESOURCES)}")
        session = self._session_now()
        try:
            match RESOURCES[uri][0]:
                case "tasks":
                    found: Any = {"tasks": _bounded(session.all_tasks(None))}
                case "agents":
                    found = {"agents": session.query("agents")}
                case _:
                    found = {"events": session.events()}
        except ToolError as error:
            raise RpcError(rpc.INTERNAL, str(error)) from None
        text = json.dumps(found, ensure_ascii=False)
        return {"contents": [{"uri": uri, "mimeType": "application/json", "text": text}]}


def _bounded(tasks: Iterable[Any]) -> list[Any]:
    """The first ones, as many as a client takes."""
    found, size = [], 0
    for task in islice(tasks, MAX_RESOURCE_TASKS):
        found.append(task)
        size += len(json.dumps(task))
        if size >= MAX_RESOURCE_BYTES:
            break
    return found


def _tool_error(text: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": True}


def _call_key(meta: Any) -> str | None:
    """The client's own name for this call."""
    if isinstance(meta, dict):
        for key, value in meta.items():
            if str(key).rpartition("/")[2] in _CALL_KEYS and isinstance(value, str) and value:
                return value
    return None


def _resource_list() -> list[dict[str, Any]]:
    return [
        {"uri": uri, "name": name, "description": text, "mimeType": "application/json"}
        for uri, (name, text) in RESOURCES.items()
    ]


_METHODS: dict[str, Any] = {
    "initialize": Server._initialize,
    "ping": lambda server, params, call: {},
    "tools/list": lambda server, params, call: {"tools": server._offer.tools},
    "tools/call": Server._call,
    "resources/list": lambda server, params, call: {"resources": _resource_list()},
    "resources/templates/list": lambda server, params, call: {"resourceTemplates": []},
    "resources/read": Server._read,
}
USAGE = """\
usage: kortana mcp [--as NAME] [-f PATH | --root FOLDER]
       kortana mcp install claude|codex|gemini|opencode [--uninstall] [--dry-run] [--root FOLDER]

Serves the Model Context Protocol on stdin and stdout, for the project at FOLDER (default: here), or that of the
configuration PATH. Speaks as NAME, as the worker that it runs in, or under the client's own name."""
_OPTIONS = {"--as": "name", "--root": "root", "-f": "root", "--file": "root"}


def main(words: list[str]) -> int:
    """The command line of `kortana mcp`."""
    if words[:1] == ["install"]:
        from kortana.mcp.install import install_main

        return install_main(words[1:])
    options: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word in ("-h", "--help"):
            print(USAGE)
            return 0
        value = next(rest, None) if word in _OPTIONS else None
        if value is None:
            print(USAGE, file=sys.stderr)
            return 2
        options[_OPTIONS[word]] = value
    root = options.get("root")
    if root is not None and not os.path.exists(root):
        print(f"kortana mcp: there is no {root}", file=sys.stderr)
        return 2
    name = options.get("name") or os.environ.get("KORTANA_AGENT")
    if name and not is_agent_name(name):
        print(f"kortana mcp: {name!r} is no agent name", file=sys.stderr)
        return 2
    return Server(options.get("name"), root).serve()
