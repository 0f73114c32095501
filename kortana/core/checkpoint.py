"""The whole canonical state as one value, and back: what checkpoint.json holds, and what replay is compared by."""

from collections import deque

import msgspec

from kortana.core.index import add_task
from kortana.core.state import Agent, Limits, State
from kortana.core.task import BLOCKED, Task
from kortana.protocol.codec import encode_json, event_digest
from kortana.protocol.event import Event, Record


class MailboxEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    id: str
    seq: int
    """Negative for an INFO, which a full mailbox drops first."""
    body: msgspec.Raw


class AgentCheckpoint(msgspec.Struct, frozen=True):
    """An agent with its mailbox."""

    up: bool
    supervised: bool
    pid: int | None
    incarnation: int
    heartbeat: str | None
    capabilities: tuple[str, ...]
    tasks: tuple[str, ...]
    mailbox: tuple[MailboxEntry, ...]
    dropped: int
    seen: bool


class AnswerEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    id: str
    digest: int
    body: msgspec.Raw


class PendingEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    event: Event
    seq: int
    recorded_at: str


class Rest(msgspec.Struct, frozen=True):
    """The canonical state but for its tasks, which are encoded page by page."""

    version: int
    seq: int
    recorded_at: str
    agents: dict[str, AgentCheckpoint]
    answers: tuple[AnswerEntry, ...]
    pending: tuple[PendingEntry, ...]
    limits: Limits
    last_task: str | None = None


class Checkpoint(Rest, frozen=True, kw_only=True):
    tasks: dict[str, Task]


def rest_of(state: State) -> Rest:
    """Everything but the tasks, as values of its own."""
    agents = {agent.name: _agent_out(agent) for agent in state.agents.values()}
    answers = tuple(AnswerEntry(i, digest, msgspec.Raw(body)) for i, (digest, body) in state.answers.items())
    pending = tuple(PendingEntry(r.event, r.seq, r.recorded_at) for r in state.pending.values())
    return Rest(1, state.seq, state.recorded_at, agents, answers, pending, state.limits, state.last_task)


def canonical(state: State) -> bytes:
    """The canonical state as bytes: equal bytes, equal states."""
    return msgspec.json.encode((rest_of(state), state.tasks), order="deterministic")


def restore(found: Checkpoint) -> State:
    """The state that a checkpoint holds, with its indexes built anew."""
    state = State(found.limits)
    state.seq, state.recorded_at, state.last_task = found.seq, found.recorded_at, found.last_task
    for name, entry in found.agents.items():  # who went first comes first
        agent = state.agents[name] = _agent_in(name, entry)
        if not agent.up:
            state.went(agent)
    for answer in found.answers:
        state.answers.add(answer.id, (answer.digest, bytes(answer.body)), found.limits.answers_kept)
    for waiting in found.pending:
        event, body = waiting.event, encode_json(waiting.event)
        state.pending[event.id] = Record(event, waiting.seq, waiting.recorded_at, body, event_digest(body))
    for task in found.tasks.values():
        add_task(state, task)
        if task.owner is not None:
            state.reserved.add(task.id, task.paths)
            state.deadlines.set(task.id, task.lease_ttl_s or 0.0)
        if task.status == BLOCKED and task.blocker:
            for needed in task.blocker["needs"]:
                state.needed_by.setdefault(needed, {})[task.id] = None
    return state


def _agent_out(agent: Agent) -> AgentCheckpoint:
    return AgentCheckpoint(
        agent.up, agent.supervised, agent.pid, agent.incarnation, agent.heartbeat, agent.capabilities,
        tuple(agent.tasks), tuple(MailboxEntry(i, seq, msgspec.Raw(body)) for i, seq, body in agent.mailbox),
        agent.dropped, agent.seen,
    )  # fmt: skip


def _agent_in(name: str, entry: AgentCheckpoint) -> Agent:
    return Agent(
        name, entry.up, entry.supervised, entry.pid, entry.incarnation, entry.heartbeat, entry.capabilities,
        dict.fromkeys(entry.tasks), deque((m.id, m.seq, bytes(m.body)) for m in entry.mailbox),
        sum(m.seq < 0 for m in entry.mailbox), entry.dropped, entry.seen,
    )  # fmt: skip
