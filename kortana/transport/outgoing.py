"""The events that a client makes: their ids, their time, and how it introduces itself."""

import itertools
import os
import time
from typing import Any

import msgspec

from kortana.protocol import event as ev
from kortana.protocol.event import Event
from kortana.protocol.timestamps import iso_from_ms
from kortana.transport.inside import token_for

_prefix = os.urandom(10).hex()
_numbers = itertools.count(1)


def _renew_prefix() -> None:
    global _prefix
    _prefix = os.urandom(10).hex()


os.register_at_fork(after_in_child=_renew_prefix)


def new_id() -> str:
    """A unique event id: random for each process, then counted."""
    return f"{_prefix}-{next(_numbers):x}"


def make_event(
    source: str,
    event_type: str,
    target: str = ev.COORDINATOR,
    task_id: str | None = None,
    payload: dict[str, Any] | None = None,
    priority: str = "normal",
    requires_ack: bool = True,
    event_id: str | None = None,
) -> Event:
    """An event stamped with this process's clock."""
    stamp = iso_from_ms(time.time_ns() // 1_000_000)
    return Event(
        event_id or new_id(), stamp, source, target, event_type, task_id, priority, payload or {}, requires_ack
    )


class Hello(msgspec.Struct, frozen=True):
    """What a client says of itself at each connection."""

    source: str
    role: str = "agent"
    receive: bool | None = None
    tie_leases: bool = False

    def event(self, socket: str) -> Event:
        """The HELLO to whoever listens there; with the token that this process was given for it, where it was."""
        token = token_for(self.source, socket)
        payload: dict[str, Any] = {
            "protocol": 1, "role": self.role, "token": token, "pid": os.getpid(), "tie_leases": self.tie_leases
        }  # fmt: skip
        if self.receive is not None:
            payload["receive"] = self.receive
        return make_event(self.source, ev.HELLO, payload=payload)
