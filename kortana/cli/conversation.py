"""One short conversation with the hub, by next to nothing."""

from __future__ import annotations

import json
import os
import time

from kortana.cli.errors import REFUSED, TIMED_OUT, USAGE, CliError, not_running
from kortana.config.plainly import said_data_dir
from kortana.protocol.parsing import parse_json
from kortana.transport.inside import token_for
from kortana.transport.plain_socket import connect
from kortana.transport.reached import reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


LONGEST_S = 7 * 24 * 3600
"""No command waits for longer."""


class Conversation:
    """One short conversation with the hub."""

    def __init__(self, name: str, options: dict[str, Any], receive: bool) -> None:
        self._name = name
        path = _socket_path(options.get("file"))
        self._rest = b""
        try:
            self._sock = connect(path, 10.0)
        except OSError:
            raise not_running() from None
        hello = {"protocol": 1, "role": "agent", "token": token_for(name, path), "pid": os.getpid(), "receive": receive}
        answer = self.ask("HELLO", "coordinator", None, hello, 10.0)
        if not answer["accepted"]:
            detail = (answer.get("result") or {}).get("detail", "")
            raise CliError(REFUSED, answer["reason"], f"refused: {answer['reason']} ({detail})")
        self.welcome: dict[str, Any] = answer.get("result") or {}

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, event_type: str, target: str, task: str | None, payload: dict[str, Any], ack: bool) -> str:
        event_id = os.urandom(12).hex()
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        event = {
            "id": event_id, "timestamp": stamp, "source": self._name, "target": target, "event_type": event_type,
            "task_id": task, "priority": "normal", "payload": payload, "requires_ack": ack,
        }  # fmt: skip
        try:
            self._sock.sendall(json.dumps(event).encode() + b"\n")
        except OSError:
            raise not_running() from None
        return event_id

    def ask(
        self, event_type: str, target: str, task: str | None, payload: dict[str, Any], timeout_s: float
    ) -> dict[str, Any]:
        """Sends, and gives the payload of the ACK. Raises CliError."""
        event_id = self.send(event_type, target, task, payload, True)
        deadline = time.monotonic() + timeout_s
        while (event := self.read(deadline)) is not None:
            if event["event_type"] == "ACK" and event["payload"].get("ack_for_event_id") in (event_id, None):
                found: dict[str, Any] = event["payload"]
                return found
        raise CliError(TIMED_OUT, "timed_out", f"no answer to {event_type} within {timeout_s:g} s")

    def read(self, deadline: float, drain: bool = False) -> dict[str, Any] | None:
        """The next event, or None at the deadline (with `drain`, when nothing is there any more)."""
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 and not drain:
                return None
            try:
                self._sock.settimeout(max(left, 0.05) if drain else left)
                data = self._sock.recv(65536)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError:
                data = b""
            if not data:
                raise not_running()
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found


def _socket_path(file: str | None) -> str:
    """Where to connect: $KORTANA_SOCKET, or what the project's endpoint file says."""
    fixed = os.environ.get("KORTANA_SOCKET")
    if fixed and file is None:
        return fixed
    run_folder = os.path.join(_data_dir(file), "run")
    try:
        with open(os.path.join(run_folder, "endpoint.json"), "rb") as found:
            return reached(run_folder, str(parse_json(found.read())["socket"]))
    except (OSError, ValueError, KeyError):
        raise not_running() from None


def _data_dir(file: str | None) -> str:
    path = file or _find_file()
    if path is not None and (said := _said_in(path)) is not None:
        return os.path.join(os.path.dirname(os.path.realpath(path)), said)
    from pathlib import Path

    from kortana.cli.common import Project

    return str(Project(None if path is None else Path(path)).layout.root)


def _said_in(path: str) -> str | None:
    """None where the file leaves doubt about its data folder, or is gone."""
    try:
        with open(path, encoding="utf-8", errors="replace") as config:
            return said_data_dir(config.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CliError(USAGE, "no_config", f"{path}: {error.strerror}") from None


def _find_file() -> str | None:
    folder = os.getcwd()
    while True:
        path = os.path.join(folder, "kortana.yaml")
        if os.path.exists(path):
            return path
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
