"""The service of claims that wait: when a task becomes ready or is over, and when an agent may have one more lease."""

from heapq import heappop, heappush

from kortana.core.claiming import HOPELESS, choose, deny, grant, park_if_obstructed, refusal_of
from kortana.core.state import State
from kortana.core.turn import Turn
from kortana.protocol import reasons


def is_due(state: State) -> bool:
    """Whether something has happened for which waiting claims are to be looked at."""
    return bool(state.ready.fresh or state.waiters.with_room or state.waiters.in_vain)


def serve(turn: Turn) -> None:
    """Grants what can be granted now to those who wait, and refuses what never will be."""
    waiters = turn.state.waiters
    while waiters.in_vain:
        task, _ = waiters.in_vain.popitem()
        _refuse_in_vain(turn, task)
    while waiters.with_room:
        agent = next(iter(waiters.with_room))
        del waiters.with_room[agent]
        serve_agent(turn, agent)
    if waiters:
        _serve_fresh(turn)
    else:
        turn.state.ready.fresh.clear()


def serve_agent(turn: Turn, name: str) -> None:
    """Looks again at the waiting claims of an agent that may have one more lease, or has new capabilities."""
    for waiter in turn.state.waiters.of_agent(name):
        chosen, _ = choose(turn.state, name, waiter.event.task_id, waiter.having)
        if chosen is not None:
            turn.state.waiters.pop(waiter.event.id)
            grant(turn, waiter.conn, waiter.event, chosen, waiter.ttl_s, waiter.tied)


def _refuse_in_vain(turn: Turn, task: str) -> None:
    """Of a task that is over. One that a person has removed is not made anew by who had waited for it."""
    state = turn.state
    for waiter in state.waiters.named(task):
        agent = state.agent(waiter.event.source)
        refusal = refusal_of(state, agent, task) if task in state.tasks else reasons.UNKNOWN_TASK
        if refusal in HOPELESS:
            state.waiters.pop(waiter.event.id)
            deny(turn, waiter.conn, waiter.event, refusal)


def _serve_fresh(turn: Turn) -> None:
    """What has become ready, or came back, goes to those who wait: by the task's priority, then first come.

    Of a bundle that came back the first task stands for all: whom it does not suit, none of the others suits. If it
    is granted, or kept back by another reservation, the one after it is the first.
    """
    state = turn.state
    todo = state.ready.take_fresh(state.waiters.tasks())
    while todo:
        entry, is_first, bundle = heappop(todo)
        name = entry[2]
        settled = name not in state.ready or _settle(turn, name)
        following = bundle.first() if is_first and settled and not bundle.parked else None
        if following is not None:
            heappush(todo, (following, True, bundle))


def _settle(turn: Turn, name: str) -> bool:
    """Grants a ready task to one who waits, or parks it; False where nobody wants it."""
    state = turn.state
    task = state.tasks[name]
    for waiter in state.waiters.for_task(name):
        if not waiter.takes(task):
            continue
        refusal = refusal_of(state, state.agent(waiter.event.source), name)
        if not refusal:
            state.waiters.pop(waiter.event.id)
            grant(turn, waiter.conn, waiter.event, name, waiter.ttl_s, waiter.tied)
            return True
        if refusal == reasons.PATH_CONFLICT:
            return park_if_obstructed(state, name)
    return False
