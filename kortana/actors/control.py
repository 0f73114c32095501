"""The operator's commands that the supervisor carries out: ps, start, stop, restart, apply, scale, down, wait."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pykka

from kortana.actors import applying
from kortana.actors.messages import Control, Inspect, RestartWorker, StartWorker, StopWorker
from kortana.actors.worker_view import RESTING
from kortana.config.limits import limits_from
from kortana.config.load import load_config
from kortana.config.nodes import ConfigError
from kortana.config.spec import Config
from kortana.processes.posix import rss_bytes
from kortana.protocol import reasons
from kortana.protocol.codec import encode_json
from kortana.protocol.event import ACK, COORDINATOR, Event

if TYPE_CHECKING:
    from kortana.actors.supervisor import SupervisorActor

PS_PAGE = 64
INSPECT_TIMEOUT_S = 10.0
MAX_PENDING = 1000
"""Commands that wait for their workers."""


class Pending(msgspec.Struct, frozen=True):
    """A command that is answered when its workers have reached a state."""

    control: Control
    names: tuple[str, ...]
    wanted: str
    """`ready`, or `rest`."""
    gone: frozenset[str] = frozenset()
    """Workers that must be no more."""
    result: Any = None
    """What is told besides, when all is well."""


def _reply(actor: "SupervisorActor", message: Control, accepted: bool, reason: str = "", result: Any = None) -> None:
    payload = {"ack_for_event_id": message.event.id, "accepted": accepted, "reason": reason, "seq": None}
    if result is not None:
        payload["result"] = result
    event = Event(
        f"r-{message.event.id}", message.event.timestamp, COORDINATOR, message.event.source, ACK, None, "normal",
        payload, False,
    )  # fmt: skip
    actor.core.answer_command(message.conn, encode_json(event))


def obey(actor: "SupervisorActor", message: Control) -> None:
    """Carries out one command, or refuses it. One that fails ends nothing but itself."""
    if len(actor.pending_controls) >= MAX_PENDING and message.command not in _AT_ONCE:
        detail = {"detail": f"{MAX_PENDING} commands wait for their workers already"}
        return _reply(actor, message, False, reasons.UNAVAILABLE, detail)
    try:
        _HANDLERS[message.command](actor, message)
    except Exception as error:
        actor.log("command_failed", command=message.command, error=repr(error))
        _reply(actor, message, False, "internal_error", {"detail": repr(error)})
    return None


def _ps(actor: "SupervisorActor", message: Control) -> None:
    start = message.args.start
    now = actor.services.clock.monotonic()
    try:
        agents = actor.core.ask_coordinator(Inspect(), INSPECT_TIMEOUT_S)["agents"]
    except (pykka.Timeout, pykka.ActorDeadError):  # it is being restarted: the workers can be shown without it
        agents = {}
    rows = []
    names = list(actor.workers)
    for name in names[start : start + PS_PAGE]:
        row = actor.workers[name].view.row(now)
        agent = agents.get(name, {})
        row["agent_status"] = agent.get("status", "offline")
        row["task_id"] = agent.get("task_id")
        row["rss_bytes"] = rss_bytes(row["pid"]) if row["pid"] else None
        rows.append(row)
    following = start + PS_PAGE if start + PS_PAGE < len(names) else None
    state = "stopping" if actor.down else "running"
    uptime = round(now - actor.began_at, 3)
    _reply(actor, message, True, result={"state": state, "uptime_s": uptime, "workers": rows, "next": following})


def _names(actor: "SupervisorActor", message: Control) -> tuple[str, ...] | None:
    """The workers that a command names: one of them, all replicas of one, or all; None after a refusal."""
    wanted = message.args.names or tuple(actor.workers)
    found: list[str] = []
    for name in wanted:
        matches = [w.name for w in actor.workers.values() if name in (w.name, w.spec.name)]
        if not matches:
            detail = {"detail": f"there is no worker {name!r}; there are: {', '.join(actor.workers)}"}
            _reply(actor, message, False, "unknown_worker", detail)
            return None
        found += matches
    return tuple(dict.fromkeys(found))


def _order(order: Any, wanted: str) -> Any:
    def handler(actor: "SupervisorActor", message: Control) -> None:
        names = _names(actor, message)
        if names is None:
            return
        if actor.down is not None:
            return _reply(actor, message, False, reasons.SHUTTING_DOWN)
        actor.services.tree_budget.clear()
        for name in names if wanted == "ready" else reversed(names):
            actor.workers[name].order(order, INSPECT_TIMEOUT_S)
        actor.pending_controls.append(Pending(message, names, wanted))
        settle(actor)

    return handler


def _wait(actor: "SupervisorActor", message: Control) -> None:
    names = _names(actor, message)
    if names is not None:
        actor.pending_controls.append(Pending(message, names, "ready"))
        settle(actor)


def _apply(actor: "SupervisorActor", message: Control) -> None:
    """Re-reads kortana.yaml. Result: `{"plan": [...]}`, answered when the workers are settled."""
    try:
        new = load_config(Path(actor.config.path))
    except ConfigError as error:
        return _reply(actor, message, False, "config", {"detail": str(error)})
    return _go_to(actor, message, new)


def _scale(actor: "SupervisorActor", message: Control) -> None:
    new = applying.scaled(actor.config, message.args.counts)
    if isinstance(new, str):
        return _reply(actor, message, False, "unknown_worker", {"detail": new})
    return _go_to(actor, message, new)


def _go_to(actor: "SupervisorActor", message: Control, new: Config) -> None:
    if actor.down is not None:
        return _reply(actor, message, False, reasons.SHUTTING_DOWN)
    try:
        actor.core.check_tasks(new)
    except applying.TaskCycleError as error:
        return _reply(actor, message, False, "config", {"detail": str(error)})
    known = frozenset(task.id for task in new.tasks if actor.core.has_task(task.id))
    steps = applying.plan(actor.config, new, known, actor.core.changed_tasks(new))
    shown = {"plan": msgspec.to_builtins(steps)}
    if message.args.dry_run:
        return _reply(actor, message, True, result=shown)
    specs = applying.replicas_of(new)
    added = [step.name for step in steps if step.kind == "worker" and step.action == applying.ADD]
    try:
        actor.recruits.call({name: specs[name] for name in added if name not in actor.workers}, new)
    except OSError as error:
        return _reply(actor, message, False, "out_of_threads", {"detail": f"{error.strerror}; nothing was changed"})
    if new.coordinator != actor.config.coordinator:
        actor.core.configure(limits_from(new))
    actor.core.add_tasks([task for task in new.tasks if task.id not in known])
    stopped = {name for name, worker in actor.workers.items() if worker.view.state == "stopped"}
    applying.carry_out(actor, new, steps)
    changed = [s.name for s in steps if s.kind == "worker" and s.action in (applying.ADD, applying.CHANGE)]
    names = tuple(name for name in changed if name not in stopped)
    gone = frozenset(s.name for s in steps if s.kind == "worker" and s.action == applying.REMOVE)
    actor.pending_controls.append(Pending(message, names, "ready", gone, shown))
    return settle(actor)


def _explain(actor: "SupervisorActor", message: Control) -> None:
    """Why a worker was restarted or not, what its budget says, and when it starts next."""
    worker = actor.workers.get(message.args.name)
    if worker is None:
        detail = {"detail": f"there is no worker {message.args.name!r}; there are: {', '.join(actor.workers)}"}
        return _reply(actor, message, False, "unknown_worker", detail)
    view, spec, now = worker.view, worker.spec, actor.services.clock.monotonic()
    due = view.next_at if view.state in ("backoff", "parked") else None
    return _reply(actor, message, True, result={
        **view.row(now), "restart": spec.restart, "intensity": spec.intensity, "period_s": spec.period,
        "window_used": worker.window_used(now), "tree_intensity": actor.config.supervisor.intensity,
        "tree_period_s": actor.config.supervisor.period, "tree_window_used": actor.services.tree_budget.used(now),
        "next_in_s": None if due is None else round(max(due - now, 0.0), 3),
    })  # fmt: skip


def _down(actor: "SupervisorActor", message: Control) -> None:
    actor.pending_controls.append(Pending(message, (), "down"))
    actor.shut_down("down", 0)


def _is_settled(view: Any, wanted: str) -> bool:
    if wanted == "ready":
        return view.ready or view.state in ("exited", "failed", "parked", "stopped")
    return view.state in RESTING


def _is_reached(actor: "SupervisorActor", pending: Pending) -> bool:
    """Looks no further than to the first worker that is not where it should be: this is asked at each change of any."""
    for name in pending.names:
        worker = actor.workers.get(name)
        if worker is not None and not (_is_settled(worker.view, pending.wanted) and worker.ref.is_alive()):
            return False  # or its actor is dead: it is told what it was to do by the one that takes over
    return pending.gone.isdisjoint(actor.workers)


def settle(actor: "SupervisorActor") -> None:
    """Answers the commands whose workers are where they should be."""
    for pending in list(actor.pending_controls):
        if pending.wanted == "down" or not _is_reached(actor, pending):
            continue
        actor.pending_controls.remove(pending)
        views = [actor.workers[name].view for name in pending.names if name in actor.workers]
        unwell = [v for v in views if pending.wanted == "ready" and v.state in ("failed", "parked", "stopped")]
        result = {"workers": [{"name": v.name, "state": v.state, "last_exit": v.last_exit} for v in unwell]}
        if pending.result is not None:
            result = {**result, **pending.result}
        _reply(actor, pending.control, not unwell, "" if not unwell else "not_ready", result)


def settle_down(actor: "SupervisorActor") -> None:
    """Everything has stopped: answers who asked for it, and refuses the rest."""
    for pending in actor.pending_controls:
        done = pending.wanted == "down"
        _reply(actor, pending.control, done, "" if done else reasons.SHUTTING_DOWN)
    actor.pending_controls.clear()


_AT_ONCE = frozenset({"ps", "explain", "down"})
_HANDLERS: dict[str, Callable[["SupervisorActor", Control], None]] = {
    "ps": _ps,
    "start": _order(StartWorker("user"), "ready"),
    "stop": _order(StopWorker("user"), "rest"),
    "restart": _order(RestartWorker("user"), "ready"),
    "wait": _wait,
    "apply": _apply,
    "scale": _scale,
    "explain": _explain,
    "down": _down,
}
