"""Decides whether a history of one lease register is linearizable.

Source: Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with Lowe's memory of visited states.
"""

from typing import Any

import msgspec


class Call(msgspec.Struct, frozen=True):
    """One operation as its caller saw it; times from one clock."""

    process: str
    kind: str
    """`claim` or `release`."""
    ok: bool
    token: int
    began: float
    ended: float


State = tuple[str | None, int]
"""(holder, the last token granted)."""


def apply(state: State, call: Call) -> State | None:
    """The state after the call, or None where it could not have had this outcome in it."""
    holder, token = state
    if call.kind == "claim":
        if not call.ok:
            return state if holder not in (None, call.process) else None
        if holder == call.process:
            return state if call.token == token else None
        return (call.process, call.token) if holder is None and call.token > token else None
    if call.ok:
        return (None, token) if holder == call.process else None
    return state if holder != call.process else None


def is_linearizable(calls: list[Call]) -> bool:
    """Whether some order of the calls, true to their times, explains every outcome."""
    order = sorted(calls, key=lambda call: call.began)
    todo: list[tuple[int, frozenset[int], State]] = [(0, frozenset(), (None, 0))]
    seen: set[Any] = set()
    while todo:
        first, taken, state = todo.pop()
        while first < len(order) and first in taken:
            taken = taken - {first}
            first += 1
        if first == len(order):
            return True
        if (first, taken, state) in seen:
            continue
        seen.add((first, taken, state))
        horizon = min(order[i].ended for i in range(first, min(first + 64, len(order))) if i not in taken)
        for index in range(first, len(order)):
            if order[index].began > horizon:
                break
            if index not in taken:
                after = apply(state, order[index])
                if after is not None:
                    todo.append((first, taken | {index}, after))
    return False
