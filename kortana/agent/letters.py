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
    """Filled by one thread, emptied by another."""

    def __init__(self) -> None:
        self._kept: deque[Event] = deque(maxlen=MOST)

    def __bool__(self) -> bool:
        return bool(self._kept)

    def take(self, event: Event) -> None:
        """Keeps what somebody has written; what the coordinator says is the adapter's to act upon."""
        if event.event_type in _KINDS and event.source != ev.COORDINATOR:
            self._kept.append(event)

    def told(self) -> str:
        """For a prompt; it is forgotten by that."""
        lines = []
        while self._kept:
            event = self._kept.popleft()
            about = f" ({event.task_id})" if event.task_id else ""
            lines.append(f"- from {event.source}{about}: {text_of(event)}\n")
        return "Messages for you:\n" + "".join(lines) if lines else ""


def text_of(event: Event) -> str:
    """What a message says, in whatever field."""
    payload = event.payload
    said = next((payload[name] for name in ("text", "details", "reason", "instruction") if payload.get(name)), payload)
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False) if said else event.event_type
    return legible_lines(text[:MOST_CHARS], "  ") + (" ..." if len(text) > MOST_CHARS else "")
