"""The coordinator's decisions: which command leads to which records and messages."""

from collections.abc import Callable
from typing import Any

import msgspec

from kortana.core.claiming import decide_claim, end_wait
from kortana.core.commands import (
    AgentDown,
    AgentUp,
    Boot,
    Command,
    Configure,
    Declare,
    Disconnect,
    Disconnected,
    Drain,
    EndWait,
    Expire,
    Submit,
    Tick,
)
from kortana.core.deadlines import earlier
from kortana.core.governing import (
    decide_add,
    decide_assign,
    decide_cancel,
    decide_edit,
    decide_message,
    decide_reset,
)
from kortana.core.holding import (
    decide_blocker,
    decide_heartbeat,
    decide_release,
    decide_update,
    end_lease_early,
    expire_lease,
    finish_torn,
    release_all,
)
from kortana.core.serving import is_due, serve, serve_agent
from kortana.core.state import Agent, State
from kortana.core.turn import Turn
from kortana.protocol import event as ev
from kortana.protocol import payloads, reasons
from kortana.protocol.codec import event_digest
from kortana.protocol.event import Event

RULES = 4
"""The rules by which is decided, as a number that stands in the journal at each boot. It grows with each change by
which the same inputs lead to other records: what was decided by other rules is not held against these (`verify`)."""

NAME_TAKEN = "its name is a worker's now"

_DECIDE = {
    ev.TASK_CLAIM: decide_claim,
    ev.TASK_UPDATE: decide_update,
    ev.HEARTBEAT: decide_heartbeat,
    ev.TASK_RELEASE: decide_release,
    ev.BLOCKER: decide_blocker,
    ev.TASK_ADD: decide_add,
    ev.TASK_CANCEL: decide_cancel,
    ev.TASK_RESET: decide_reset,
    ev.OPERATOR_EDIT: decide_edit,
    ev.TASK_ASSIGN: decide_assign,
    ev.DIRECTIVE: decide_message,
    ev.INFO: decide_message,
    ev.REQUEST_REVIEW: decide_message,
    ev.MERGE_READY: decide_message,
}


def decide(turn: Turn, command: Command) -> None:
    """Decides one command within a turn; the turn holds what came of it.

    Ends with the service of waiting claims, so that what a command frees is granted in the same turn.
    """
    _COMMANDS[type(command)](turn, command)
    if is_due(turn.state):
        serve(turn)


def decide_event(turn: Turn, conn: int, event: Event, body: bytes, tied: bool) -> None:
    """As `decide` of a Submit; the way that almost every event takes."""
    _submit(turn, conn, event, body, tied)
    if is_due(turn.state):
        serve(turn)


def next_due(state: State) -> float | None:
    """When the next lease or wait ends (monotonic seconds), or None."""
    return earlier(state.deadlines.next_due(), state.waiters.deadlines.next_due())


def _submit(turn: Turn, conn: int, event: Event, body: bytes, tied: bool) -> None:
    state = turn.state
    source, kind = event.source, event.event_type
    if kind not in (ev.OPERATOR_TYPES if source == "operator" else ev.AGENT_TYPES):
        known = kind in ev.EVENT_TYPES
        return turn.reply_only(conn, event, reasons.FORBIDDEN if known else reasons.UNKNOWN_EVENT_TYPE)
    digest = event_digest(body)
    asked_again = event.id in state.pending
    if (asked_again or event.id in state.answers) and not _may_ask_again(turn, conn, event, digest):
        return None
    if kind == "ACK":
        return _confirm(turn, conn, event, body, digest)
    if asked_again:
        turn.note("asked_again", id=event.id)
    else:
        turn.take(event, body, digest)
    return _DECIDE[kind](turn, conn, event, tied)


def _may_ask_again(turn: Turn, conn: int, event: Event, digest: int) -> bool:
    """An id that was seen before: False where it was decided, after its answer was repeated, or is another event's;
    True where it waits, to be decided anew (rule 9). What somebody else has said is another event."""
    state = turn.state
    known = state.answers.get(event.id)
    if known is not None:
        if known[0] != digest or b'"source":"coordinator","target":"%b"' % event.source.encode() not in known[1]:
            turn.reply_only(conn, event, reasons.ID_CONFLICT, "another event had this id")
        elif event.requires_ack or b'"accepted":false' in known[1]:
            turn.replies.append((conn, known[1]))
        return False
    pending = state.pending[event.id]
    if pending.digest != digest or pending.event.source != event.source:
        turn.reply_only(conn, event, reasons.ID_CONFLICT, "another event had this id")
        return False
    state.waiters.pop(event.id)
    return True


def _confirm(turn: Turn, conn: int, event: Event, body: bytes, digest: int) -> None:
    asked = payloads.read_payload(payloads.Confirm, event.payload)
    if isinstance(asked, str):
        return turn.reply_only(conn, event, reasons.BAD_PAYLOAD, asked)
    agent = turn.state.agents.get(event.source)
    mailbox = agent.mailbox if agent is not None else ()
    if any(entry[0] == asked.ack_for_event_id for entry in mailbox):
        turn.take(event, body, digest)
    return turn.reply_only(conn, event) if event.requires_ack else None


def _submitted(turn: Turn, command: Submit) -> None:
    _submit(turn, command.conn, command.event, command.body, command.tied)


def _agent_up(turn: Turn, command: AgentUp) -> None:
    payload = {
        "agent": command.agent, "pid": command.pid, "incarnation": command.incarnation,
        "supervised": command.supervised, "capabilities": list(command.capabilities),
    }  # fmt: skip
    guest = _guest_called(turn.state, command.agent) if command.supervised else None
    _send_away(turn, guest)
    turn.say(ev.COORDINATOR, ev.AGENT_UP, None, payload, source=ev.SUPERVISOR)
    _release_of(turn, guest)
    serve_agent(turn, command.agent)


def _agent_down(turn: Turn, command: AgentDown) -> None:
    agent = turn.state.agents.get(command.agent)
    if agent is None or not agent.up or agent.incarnation > command.incarnation:
        return
    payload = {
        "agent": command.agent, "incarnation": command.incarnation, "detail": command.detail, "clean": command.clean,
        "keep_leases": command.keep_leases, "crash_id": command.crash_id,
    }  # fmt: skip
    turn.say(ev.COORDINATOR, ev.AGENT_DOWN, None, payload, source=ev.SUPERVISOR)
    if not command.keep_leases:
        for waiter in turn.state.waiters.of_agent(command.agent):
            turn.state.waiters.pop(waiter.event.id)
        release_all(turn, command.agent, command.detail, command.clean, command.crash_id)


def _disconnect(turn: Turn, command: Disconnect) -> None:
    state = turn.state
    agent = state.agents.get(command.agent)
    waits = tuple(waiter.event.id for waiter in state.waiters.of_conn(command.conn))
    tied: tuple[str, ...] = ()
    if command.tied and agent is not None:
        tied = tuple(name for name in agent.tasks if state.tasks[name].tied and _ends_with(state, name, command))
    if waits or tied:
        _disconnected(turn, Disconnected(command.agent, waits, tied))
    if command.last and agent is not None and agent.up and not agent.supervised:
        down = AgentDown(command.agent, agent.incarnation, True, "connection closed", keep_leases=True)
        _agent_down(turn, down)


def _ends_with(state: State, task: str, command: Disconnect) -> bool:
    """A lease tied to a connection of before a restart ends with the agent's last one."""
    conn = state.tied.get(task)
    return conn == command.conn or (conn is None and command.last)


def _disconnected(turn: Turn, command: Disconnected) -> None:
    turn.note("disconnected", agent=command.agent, waits=list(command.waits), leases=list(command.leases))
    for event_id in command.waits:
        turn.state.waiters.pop(event_id)
    for name in command.leases:
        end_lease_early(turn, turn.state.tasks[name], "connection closed", clean=False)


def _tick(turn: Turn, command: Tick) -> None:
    for name in turn.state.deadlines.pop_due(command.until):
        _expire(turn, Expire(name))
        serve(turn)
    for event_id in turn.state.waiters.deadlines.pop_due(command.until):
        end_wait(turn, event_id)


def _expire(turn: Turn, command: Expire) -> None:
    task = turn.state.tasks[command.task]
    if task.owner is not None:
        expire_lease(turn, task)


def _end_wait(turn: Turn, command: EndWait) -> None:
    end_wait(turn, command.event_id)


def _boot(turn: Turn, command: Boot) -> None:
    last_task = turn.state.last_task
    turn.note("boot", fresh=command.fresh, rules=RULES, limits=msgspec.to_builtins(command.limits))
    for agent in [turn.state.agents[name] for name in sorted(turn.state.agents)]:
        if command.fresh and agent.up:
            why = "Kortana was started anew"
            _agent_down(turn, AgentDown(agent.name, agent.incarnation, True, why, not agent.supervised))
        for name in agent.tasks:
            turn.state.deadlines.set(name, turn.now + (turn.state.tasks[name].lease_ttl_s or 0.0))
    if command.fresh:
        finish_torn(turn, last_task)


def _configure(turn: Turn, command: Configure) -> None:
    turn.note("limits", limits=msgspec.to_builtins(command.limits))
    for agent in turn.state.waiters.agents():
        turn.state.waiters.relieved(agent)


def _declare(turn: Turn, command: Declare) -> None:
    known = turn.state.agents
    new = [name for name in command.workers if name not in known or not known[name].supervised]
    guests = [guest for name in new if (guest := _guest_called(turn.state, name)) is not None]
    for guest in guests:
        _send_away(turn, guest)
    if new:
        turn.note("declared", workers=new)
    for guest in guests:
        _release_of(turn, guest)


def _guest_called(state: State, name: str) -> Agent | None:
    """The agent of this name, where it is none of Kortana's: the name is to be a worker's."""
    agent = state.agents.get(name)
    return None if agent is None or agent.supervised else agent


def _send_away(turn: Turn, guest: Agent | None) -> None:
    """From now on only the worker speaks under this name, and it does not know of the guest's leases."""
    if guest is not None and guest.up:
        _agent_down(turn, AgentDown(guest.name, guest.incarnation, True, NAME_TAKEN))


def _release_of(turn: Turn, guest: Agent | None) -> None:
    """What it had left to live by its TTL: the worker's heartbeats would renew it without an end."""
    if guest is not None:
        release_all(turn, guest.name, NAME_TAKEN, True)


def _drain(turn: Turn, command: Drain) -> None:
    turn.note("drain")
    for agent in sorted(turn.state.agents):
        for waiter in turn.state.waiters.of_agent(agent):
            turn.state.waiters.pop(waiter.event.id)
            turn.refuse(waiter.conn, waiter.event, reasons.SHUTTING_DOWN)


_COMMANDS: dict[type, Callable[[Turn, Any], None]] = {
    Submit: _submitted,
    AgentUp: _agent_up,
    AgentDown: _agent_down,
    Disconnect: _disconnect,
    Disconnected: _disconnected,
    Tick: _tick,
    Expire: _expire,
    EndWait: _end_wait,
    Boot: _boot,
    Configure: _configure,
    Declare: _declare,
    Drain: _drain,
}
