"""Well-formed frames with any content, from every role, into a running tree and a running MCP server.

The decoders are fuzzed elsewhere; here nobody may die of what they let through.
"""

import json
import os
import random
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from kortana.protocol import event as ev
from kortana.protocol.calls import CONTROLS, QUERIES
from kortana.protocol.payloads import Payload
from tests.e2e.project import PATIENCE_S, Project, RawClient, eventually
from tests.mcp.raw import Raw

LONG = bool(os.environ.get("KORTANA_LONG"))
SEED = int(os.environ.get("KORTANA_SEED", "1"))
BURSTS, CALLS = (60_000, 20_000) if LONG else (1_500, 600)
ATOMS: list[Any] = [
    None, True, False, 0, 1, -1, 5, 3.5, -0.0, 1e308, (1 << 63) - 1, -(1 << 63), "", "a", "t1", "t2", "pending",
    "completed", "in_progress", "failed", "blocked", "**", "src/*", "x" * 3000, "\0", "\ud7ff", "🙂", [], {}, ["t1"],
    ["t1", "t1"], {"a": 1}, [[]], [None], {"": None}, ["../../etc"], ["["], "all", "operator", "coordinator", "w",
]  # fmt: skip


def _kinds(kind: type[Payload]) -> Iterator[type[Payload]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


KEYS = sorted({field.encode_name for kind in _kinds(Payload) for field in msgspec.structs.fields(kind)})
"""Every name that some payload has a use for."""
LIKELY: dict[str, dict[str, Any]] = {
    "TASK_UPDATE": {"status": "completed"}, "TASK_ADD": {"depends_on": ["t1"], "paths": ["src/**"]},
    "BLOCKER": {"reason": "x", "needs": ["t2"]}, "OPERATOR_EDIT": {"set": {"status": "pending"}},
    "DIRECTIVE": {"instruction": "x"}, "TASK_ASSIGN": {"agent": "w"}, "ACK": {"ack_for_event_id": "x"},
}  # fmt: skip
COMMANDS = sorted({*QUERIES, *CONTROLS} - {"down"})
TYPES = [*sorted(ev.EVENT_TYPES), "NOPE", ""]


class Wild:
    """Draws events; half of them look nearly right."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        chance = self.draw.random() if depth < 3 else 1.0
        if chance < 0.1:
            return [self.value(depth + 1) for _ in range(self.draw.randrange(4))]
        if chance < 0.2:
            return self.fields(KEYS, depth + 1)
        return self.draw.choice(ATOMS)

    def fields(self, keys: list[str], depth: int = 0) -> dict[str, Any]:
        return {self.draw.choice(keys): self.value(depth) for _ in range(self.draw.randrange(4))}

    def payload(self, event_type: str) -> dict[str, Any]:
        draw = self.draw
        found = {**(LIKELY.get(event_type, {}) if draw.random() < 0.6 else {}), **self.fields(KEYS)}
        if event_type == ev.COMMAND:
            found["command"] = draw.choice([*COMMANDS, *COMMANDS, *COMMANDS, "fly", 5, None])
            if draw.random() < 0.7:
                names = ["names", "from", "status", "id", "counts", "dry_run", "name", "agent", "paths"]
                found["args"] = self.fields(names)
            if found["command"] == "scale" and draw.random() < 0.5:
                found["args"] = {"counts": {"v": draw.choice([1, 2, 3, 0, -1, "2", True, 1.5])}}
        return found

    def event(self, source: str) -> dict[str, Any]:
        draw = self.draw
        event_type = draw.choice(TYPES)
        return {
            "id": f"{draw.randrange(10**9)}" if draw.random() < 0.95 else "same",
            "source": source if draw.random() < 0.95 else "other", "event_type": event_type,
            "target": draw.choice(["coordinator", "all", "w", "g1", "supervisor", "nobody", ""]),
            "task_id": draw.choice([None, "t1", "t2", "t3", "n1", "n2", "", "x" * 300, "a/b", "\0"]),
            "priority": draw.choice(sorted(ev.PRIORITIES)), "payload": self.payload(event_type),
            "requires_ack": draw.random() < 0.7,
        }  # fmt: skip


class Guest:
    """One connection of some role, which reads what it is sent and looks at nothing."""

    def __init__(self, project: Project, wild: Wild) -> None:
        draw = wild.draw
        role = draw.choice(["agent", "agent", "operator", "observer"])
        self.name = {"operator": "operator", "observer": "watcher"}.get(role) or draw.choice(["g1", "g2", "g3"])
        self.client = RawClient(project.folder)
        hello = {"protocol": 1, "role": role, "receive": draw.random() < 0.5, "tie_leases": draw.random() < 0.5}
        if draw.random() < 0.1:
            hello[draw.choice(sorted(hello))] = wild.value()
        self.client.send(source=self.name, event_type="HELLO", payload=hello)

    def burst(self, wild: Wild) -> bool:
        """False where the connection has been closed."""
        try:
            for _ in range(wild.draw.randrange(1, 6)):
                self.client.send(**wild.event(self.name))
            sock = self.client.socket
            sock.setblocking(False)
            while data := sock.recv(1 << 20):
                pass
            return bool(data)
        except BlockingIOError:
            self.client.socket.settimeout(PATIENCE_S)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False


@pytest.mark.timeout(1800 if LONG else 180)
def test_no_content_of_any_event_ends_the_tree_or_one_of_its_actors(project: Project) -> None:
    sleeper = {"command": ["sleep", "1000"], "stop": {"grace": "20s"}}
    tasks = [{"id": "t1"}, {"id": "t2", "depends_on": ["t1"]}, {"id": "t3", "paths": ["src/**"]}]
    project.write({"workers": {"w": sleeper, "v": {**sleeper, "replicas": 2}}, "tasks": tasks})
    watched = project.start_foreground()
    assert watched.stdout is not None
    shown: list[str] = []
    reader = threading.Thread(target=shown.extend, args=(watched.stdout,), daemon=True)
    reader.start()
    eventually(lambda: project.call("ps", expect=None).returncode == 0, "it is up")
    wild, guests = Wild(SEED), []  # type: Wild, list[Guest]
    for _ in range(BURSTS):
        while len(guests) < 6:
            guests.append(Guest(project, wild))
        guest = wild.draw.choice(guests)
        if not guest.burst(wild) or wild.draw.random() < 0.02:
            guest.client.socket.close()
            guests.remove(guest)
    for guest in guests:
        guest.client.socket.close()
    witness = project.connect()
    assert witness.hello("witness")["accepted"] and witness.ask("TASK_ADD", "after")["accepted"]
    for words in (("events", "-n", "1000000"), ("tasks", "show", "t1"), ("tasks", "list"), ("why", "t1")):
        project.call(*words)
    project.call("down")
    assert watched.wait(PATIENCE_S) == 0
    reader.join(PATIENCE_S)
    assert shown and not [line for line in shown if "cannot be shown" in line]
    log = [json.loads(line) for line in (project.folder / "data" / "supervision.jsonl").read_text().splitlines()]
    died = {"core_died", "supervisor_died", "actor_died", "command_failed"}
    assert not [event for event in log if event["event"] in died]
    assert project.call("fsck").returncode == 0


def wild_message(wild: Wild, number: int, tools: list[str], properties: list[str]) -> Any:
    """A call, another method, a notification, or what is no JSON-RPC at all."""
    draw, chance = wild.draw, wild.draw.random()
    if chance < 0.75:
        arguments = {key: value for key, value in wild.fields([*properties, "zzz"]).items() if key != "wait_s"}
        params = {"name": draw.choice([*tools, "nope"]), "arguments": arguments if chance < 0.7 else wild.value()}
        if draw.random() < 0.1:
            params["_meta"] = wild.value()
        return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
    if chance < 0.85:
        method = draw.choice(["ping", "resources/list", "resources/read", "prompts/list", "tools/list", "fly", 5])
        return {"jsonrpc": "2.0", "id": draw.choice([number, wild.value()]), "method": method, "params": wild.value()}
    if chance < 0.9:
        return wild.value()
    if chance < 0.95:
        return draw.choice([b"{", b"\xff\xfe", b"[]", b"", b'{"a":NaN}', b'"' * 10, b"[" * 3000])
    params = draw.choice([{"requestId": number - 1}, {"requestId": wild.value()}, wild.value()])
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}


@pytest.mark.timeout(1800 if LONG else 180)
def test_no_message_ends_the_mcp_server_and_every_call_is_answered(project: Project) -> None:
    project.write({"workers": {}, "tasks": [{"id": "t1"}, {"id": "t2"}]})
    project.up()
    wild, server = Wild(SEED), Raw(project)
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "wild", "version": "1"}}
    assert server.ask("hello", "initialize", **hello)["id"] == "hello"
    found = server.ask("tools", "tools/list")["result"]["tools"]
    tools = [tool["name"] for tool in found]
    properties = sorted({name for tool in found for name in tool["inputSchema"].get("properties", {})})
    for number in range(CALLS):
        message = wild_message(wild, number, tools, properties)
        if not isinstance(message, bytes) and wild.draw.random() < 0.1:
            message = [message] * wild.draw.randint(1, 4)
        server.say(message if isinstance(message, bytes) else json.dumps(message))
        answer = server.ask(f"ping {number}", "ping")
        while isinstance(answer, list) or answer.get("id") != f"ping {number}":
            for each in answer if isinstance(answer, list) else [answer]:
                assert "jsonrpc" in each
                assert each.get("error", {}).get("code") != -32603, each
            answer = server.answer()
    assert server.end() == b"" and server.process.returncode == 0
    assert project.connect().hello("witness")["accepted"]
