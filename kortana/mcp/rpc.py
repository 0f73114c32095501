"""JSON-RPC 2.0 as MCP has it: error codes, ids, and answers to several messages in one line.

Source: the JSON-RPC 2.0 specification; of MCP's versions 2025-03-26 asks for batches.
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Reply = Callable[[dict[str, Any] | None], None]
    """Takes the answer to one message, or None where there is none to give. Called once, by any thread."""

PARSE_ERROR, INVALID_REQUEST, NO_METHOD, BAD_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
RESOURCE_NOT_FOUND, BUSY = -32002, -32000


class RpcError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    """The client has given the call up: there is no answer."""


class Call:
    """One call. key: the client's own name for it, or None. It is either cancelled or settled, whatever comes first."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self._lock = threading.Lock()
        self._cancelled = self._settled = False

    def cancel(self) -> None:
        """Too late once it is settled."""
        with self._lock:
            self._cancelled = not self._settled

    def settle(self) -> None:
        """From now on it is answered. Raises Cancelled where the client has given it up before."""
        with self._lock:
            if self._cancelled:
                raise Cancelled
            self._settled = True


def is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def failure(request_id: Any, code: int, message: str) -> dict[str, Any]:
    """The answer that says what is wrong."""
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


class Batch:
    """Gathers the answers to the messages of one line, and gives them to `send` once none is missing."""

    def __init__(self, messages: int, send: Callable[[list[dict[str, Any]]], None]) -> None:
        self._missing = messages
        self._send = send
        self._answers: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def take(self, answer: dict[str, Any] | None) -> None:
        """A `Reply`. Where there are only notifications, nothing is sent."""
        with self._lock:
            self._missing -= 1
            if answer is not None:
                self._answers.append(answer)
            if self._missing or not self._answers:
                return
        self._send(self._answers)
