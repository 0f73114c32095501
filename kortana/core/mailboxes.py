"""What waits for each agent: accepted events and directives, until the agent confirms them. Bounded."""

from kortana.core.state import Agent, State
from kortana.protocol import event as ev
from kortana.protocol.event import Event, Record


def deliver(state: State, record: Record) -> None:
    """Puts an accepted event into the mailbox of its target; `all` is everyone but the source."""
    target = record.event.target
    if target == ev.ALL:
        for agent in state.agents.values():
            if agent.name != record.event.source:
                _enqueue(state, agent, record)
    elif target in state.agents:
        _enqueue(state, state.agents[target], record)


def _enqueue(state: State, agent: Agent, record: Record) -> None:
    event = record.event
    is_info = event.event_type == ev.INFO
    if len(agent.mailbox) >= state.limits.mailbox_limit:
        _make_room(agent)
        if agent.dropped & (agent.dropped - 1) == 0:
            state.overflowed[agent.name] = agent.dropped
    agent.mailbox.append((event.id, -record.seq if is_info else record.seq, record.body))
    agent.mailbox_infos += is_info
    if state.outbox is not None:
        state.outbox.append((agent.name, record.body))


def _make_room(agent: Agent) -> None:
    """Drops the oldest INFO, or the oldest of all where there is none."""
    agent.dropped += 1
    if agent.mailbox_infos == 0:
        agent.mailbox.popleft()
        return
    agent.mailbox_infos -= 1
    for index, entry in enumerate(agent.mailbox):
        if entry[1] < 0:
            del agent.mailbox[index]
            return


def confirm(state: State, event: Event) -> None:
    """An agent's ACK confirms the event it names, and all before it in its mailbox."""
    agent = state.agents.get(event.source)
    if agent is None:
        return
    wanted = event.payload["ack_for_event_id"]
    for index, entry in enumerate(agent.mailbox):
        if entry[0] == wanted:
            for _ in range(index + 1):
                agent.mailbox_infos -= agent.mailbox.popleft()[1] < 0
            return
