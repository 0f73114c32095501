"""What the configuration means to the core and to the processes, in their own terms."""

import secrets
import time
from typing import Any
from zlib import crc32

import msgspec

from kortana.agent.cli_agent import SETTINGS_VARIABLE, Settings
from kortana.config.check import task_payload
from kortana.config.spec import TaskSpec, WorkerSpec
from kortana.core.commands import Boot, Submit
from kortana.core.decide import decide
from kortana.core.state import Limits, State
from kortana.core.turn import Turn
from kortana.ports import ProcessSpec
from kortana.protocol import event as ev
from kortana.protocol.codec import decode_strict, encode_json
from kortana.protocol.event import Event
from kortana.protocol.timestamps import iso_from_ms

SHELL_ADAPTER = "kortana.agent.shell:run"
CLI_ADAPTER = "kortana.agent.cli_agent:run"


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000


def task_event(task: TaskSpec) -> Event:
    """A declared task as the TASK_ADD of an operator."""
    said = msgspec.to_builtins(task_payload(task))
    payload = {key: value for key, value in said.items() if value is not None}
    stamp = iso_from_ms(time.time_ns() // 1_000_000)
    event_id = f"yaml-{task.id}-{secrets.token_hex(6)}"
    return Event(event_id, stamp, ev.OPERATOR, ev.COORDINATOR, ev.TASK_ADD, task.id, "normal", payload, False)


def edit_events(edits: dict[str, dict[str, Any]], seq: int, dependants: dict[str, dict[str, None]]) -> list[Event]:
    """A person's edits of task_graph.json at `seq` as OPERATOR_EDITs; the same edits have the same ids.

    Additions come first, removals last, and what depends on another goes before it.
    """
    order = {"add": 0, "set": 1, "remove": 2}
    names = sorted(edits, key=lambda name: order[next(iter(edits[name]))])
    removed = [name for name in names if "remove" in edits[name]]
    ordered = [name for name in names if "remove" not in edits[name]]
    while removed:
        free = [name for name in removed if not any(other in dependants.get(name, ()) for other in removed)]
        ordered += free or removed
        removed = [name for name in removed if free and name not in free]
    stamp = iso_from_ms(time.time_ns() // 1_000_000)
    return [
        Event(f"edit-{seq}-{crc32(encode_json(edits[name])):08x}-{name}", stamp, ev.OPERATOR, ev.COORDINATOR,
              ev.OPERATOR_EDIT, name, "normal", edits[name], False)
        for name in ordered
    ]  # fmt: skip


def refused_edit(state: State, limits: Limits, edits: list[Event]) -> tuple[str, str] | None:
    """The task and the reason of the first edit that breaks a rule; uses the state up."""
    turn = Turn(state, 0.0, time.time_ns() // 1_000_000)
    decide(turn, Boot(True, limits))
    for event in edits:
        turn.replies.clear()
        decide(turn, Submit(event, encode_json(event), 0))
        for _, body in turn.replies:
            answer = decode_strict(body)["payload"]
            if answer.get("ack_for_event_id") == event.id and not answer["accepted"]:
                detail = (answer.get("result") or {}).get("detail") or answer["reason"]
                return event.task_id or "", str(detail)
    return None


def _entrypoint(spec: WorkerSpec) -> str | None:
    if spec.agent is None:
        return spec.entrypoint
    return SHELL_ADAPTER if spec.agent == "shell" else CLI_ADAPTER


def _adapter_settings(spec: WorkerSpec) -> dict[str, str]:
    """What the adapter of a command-line agent finds in its environment."""
    if spec.agent in (None, "shell"):
        return {}
    settings = Settings(spec.agent or "", **msgspec.structs.asdict(spec.cli))
    return {SETTINGS_VARIABLE: msgspec.json.encode(settings).decode()}


def process_spec(
    spec: WorkerSpec, name: str, incarnation: int, env: dict[str, str], log_path: str, usual_open_files: int
) -> ProcessSpec:
    """One incarnation of a declared worker, as the launcher starts it."""
    return ProcessSpec(
        worker=name, incarnation=incarnation,
        argv=list(spec.command) if spec.command is not None else None,
        entrypoint=_entrypoint(spec),
        cwd=spec.cwd, env={**env, **_adapter_settings(spec)}, log_path=log_path,
        log_rotate_bytes=spec.logs.rotate_size, log_keep=spec.logs.keep,
        ready_pattern=spec.ready.pattern, open_files=spec.limits.open_files,
        memory_bytes=spec.limits.memory, pids=spec.limits.pids, usual_open_files=usual_open_files,
    )  # fmt: skip
