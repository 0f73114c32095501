"""What others write to an agent that cannot be interrupted: kept until its next prompt, which tells of it."""

import json
from collections import deque

from kortana.protocol import event as ev
from kortana.protocol.event import Event
from kortana.protocol.legible import legible_lines

MOST, MOST_CHARS = 20, 1_000
"""So many are told, the newest ones, and so much of each."""
_KINDS = (ev.INFO, ev.REQUEST_REVIEW, ev.MERGE_READY, ev.DIRECTIVE)


class Letters:
    """Filled by one thread, told and forgotten by another. What is not forgotten is not confirmed either: it comes
    again where its agent has ended before it could read it."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=MOST)
        self._told: list[Event] = []

    def __bool__(self) -> bool:
        return bool(self._kept or self._told)

    def take(self, event: Event) -> None:
        """Keeps what somebody has written; what the coordinator says is the adapter's to act upon."""
        if event.event_type in _KINDS and event.source != ev.COORDINATOR:
            self._kept.append(event)

    def told(self) -> str:
        """For a prompt: what has come since the last one that was read."""
        while self._kept:
            self._told.append(self._kept.popleft())
        del self._told[:-MOST]
        return "Messages for you:\n" + "".join(map(_line, self._told)) if self._told else ""

    def forget(self) -> None:
        """What was told has been read."""
        self._told = []


def _line(event: Event) -> str:
    about = f" ({event.task_id})" if event.task_id else ""
    return f"- from {event.source}{about}: {text_of(event)}\n"


def text_of(event: Event) -> str:
    """What a message says, in whatever field."""
    payload = event.payload
    said = next((payload[name] for name in ("text", "details", "reason", "instruction") if payload.get(name)), payload)
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False) if said else event.event_type
    return legible_lines(text[:MOST_CHARS], "  ") + (" ..." if len(text) > MOST_CHARS else "")
