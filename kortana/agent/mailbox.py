"""What every adapter does with its mailbox: reads it on a thread of its own, and knows when a lease is gone."""

import os
import threading
from collections.abc import Callable

from kortana.agent.answers import Answer, Task
from kortana.agent.interface import AgentInterface
from kortana.protocol import event as ev
from kortana.protocol.event import Event
from kortana.protocol.legible import legible

PATIENCE_S = 3600.0
"""An outcome is worth waiting for: Kortana may stand still."""

QUOTA_EXIT_CODE = 75
"""EX_TEMPFAIL: of a command, and of an adapter because of it."""
SHOWN_CHARS = 200


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  a worker's stdout is its log


def say_claimed(task: Task) -> None:
    """With what is to be done, as far as it goes on one line."""
    fields = task.fields
    what = str(fields.get("title") or fields.get("run") or fields.get("prompt") or "").strip()
    first, *more = what.splitlines() or [""]
    shown = legible(first[:SHOWN_CHARS]) + (" ..." if more or len(first) > SHOWN_CHARS else "")
    say(f"claimed {task.id} (token {task.token})" + (f": {shown}" if shown else ""))


def say_heard(event: Event) -> None:
    """On one line, whatever others have written into it."""
    said = (event.payload.get(name) for name in ("reason", "by", "text"))
    about = " ".join(str(each) for each in said if each)
    by = "" if event.source in (ev.COORDINATOR, ev.SUPERVISOR) else f" from {event.source}"
    say(legible(f"heard {instruction_of(event)}{by} {event.task_id or ''}: {about}"[:SHOWN_CHARS].rstrip()))


def instruction_of(event: Event) -> str:
    """What a directive asks for; of any other event its type."""
    return str(event.payload.get("instruction", event.event_type))


def is_lease_gone(event: Event) -> bool:
    """Whether the lease on the event's task is no longer this agent's. The coordinator alone says so: what others write
    is data."""
    if event.source != ev.COORDINATOR:
        return False
    told = event.event_type == ev.DIRECTIVE and instruction_of(event) == "lease_released"
    return told or event.event_type in (ev.LEASE_EXPIRED, ev.LEASE_RELEASED)


def give_back_blocked(agent: AgentInterface, task: Task, say: Callable[[str], None] = say) -> Answer | None:
    """Of a command that has gone well: its task is not done where a blocker was reported on it. None where none was."""
    if (agent.get_task(task.id) or {}).get("status") != "blocked":
        return None
    say(f"{task.id} is blocked: giving it back until what it needs is completed")
    return agent.release_task(task.id)


def heed_mailbox(
    agent: AgentInterface, heed: Callable[[Event], None], confirms: Callable[[], bool] = lambda: True
) -> None:
    """Hands each event to `heed` from now on; without a mailbox a worker cannot know what it has lost, and ends.

    confirms: whether what was handed over counts as received by now.
    """

    def read() -> None:
        while True:
            try:
                event = agent.receive(confirm=confirms())
            except OSError as error:
                say(f"mailbox: {error}")
                os._exit(1)
            if event is not None:
                heed(event)

    threading.Thread(target=read, name="mailbox", daemon=True).start()
