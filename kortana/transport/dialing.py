"""From the path of a hub's socket to a connection that has said HELLO."""

import socket
from typing import Any

import msgspec

from kortana.protocol.codec import encode_json
from kortana.protocol.event import Event
from kortana.protocol.reasons import SHUTTING_DOWN, UNAVAILABLE
from kortana.transport.outgoing import Hello

HELLO_TIMEOUT_S = 10.0
_decode = msgspec.json.Decoder(Event).decode


class KortanaUnavailable(ConnectionError):
    """No running Kortana answers; says what to do."""


class Refused(Exception):
    """HELLO was refused. Carries the contract's reason."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class NotNow(ConnectionRefusedError):
    """It runs, and has no place for one more."""


def dial(path: str, who: Hello) -> tuple[socket.socket, dict[str, Any], bytes]:
    """The connection, the `result` of its HELLO, and what has come besides. Raises Refused, EOFError and OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(HELLO_TIMEOUT_S)
        sock.connect(path)
        hello = who.event(path)
        sock.sendall(encode_json(hello) + b"\n")
        answer, rest = _welcome_of(sock, hello.id)
        result = answer.get("result") or {}
        detail = result.get("detail", "")
        if answer["reason"] in (UNAVAILABLE, SHUTTING_DOWN):
            raise NotNow(f"Kortana takes nobody in just now: {detail or answer['reason']}")
        if not answer["accepted"]:
            raise Refused(answer["reason"], detail)
        return sock, result, rest
    except BaseException:
        sock.close()
        raise


def _welcome_of(sock: socket.socket, hello_id: str) -> tuple[dict[str, Any], bytes]:
    """The payload of the answer to HELLO, and what has come besides. Raises EOFError and OSError."""
    rest, others = b"", b""
    while True:
        while b"\n" not in rest:
            data = sock.recv(1 << 16)
            if not data:
                raise EOFError("closed during HELLO")
            rest += data
        line, _, rest = rest.partition(b"\n")
        event = _decode(line)
        if event.event_type == "ACK" and event.payload.get("ack_for_event_id") in (hello_id, None):
            return event.payload, others + rest
        others += line + b"\n"
