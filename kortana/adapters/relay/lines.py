"""What the legacy files' lines mean: structured lines as events, plain lines of an agent's log as messages."""

import re
from collections.abc import Callable

from kortana.protocol import event as ev
from kortana.protocol.codec import MAX_ID_LENGTH, FrameError, as_event_id, decode_strict
from kortana.protocol.event import PRIORITIES, Event
from kortana.protocol.names import is_agent_name

_PLAIN = re.compile(r"\[(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)\] ([A-Z][A-Z_ ]*): (.*)")
_TO = re.compile(r"(?:^|\s)@([A-Za-z0-9][A-Za-z0-9._-]{0,63})")
_PASSED_ON = ev.AGENT_TYPES - {ev.ACK}


class BadLine(ValueError):
    """A line that is skipped; says why."""


def event_of(data: bytes, place: str, stamp: str) -> Event:
    """A structured line of coordinator_in.txt. What may be missing: id (then `place` is it), timestamp, target,
    task_id, priority, payload, requires_ack (true). An unknown type becomes INFO. Raises BadLine."""
    try:
        fields = decode_strict(data)
    except FrameError as error:
        raise BadLine(error.detail) from None
    if not isinstance(fields, dict):
        raise BadLine("not a JSON object")
    source = fields.get("source")
    if not is_agent_name(source):
        raise BadLine(f"source: {source!r} is no agent name")
    event_id, kind, payload = fields.get("id", place), fields.get("event_type"), fields.get("payload", {})
    if not isinstance(event_id, str) or not 0 < len(event_id) <= MAX_ID_LENGTH:
        raise BadLine("id: a string of 1 to 128 characters is needed")
    if not isinstance(kind, str) or not isinstance(payload, dict):
        raise BadLine("event_type: a string, and payload: an object are needed")
    task, target, priority = (
        fields.get("task_id"),
        fields.get("target", ev.COORDINATOR),
        fields.get("priority", "normal"),
    )
    if task is not None and not isinstance(task, str):
        raise BadLine("task_id: a string or null is needed")
    if not isinstance(target, str) or not isinstance(priority, str) or priority not in PRIORITIES:
        raise BadLine("target: a string, and priority: low, normal, high or urgent are needed")
    if kind not in _PASSED_ON:
        payload, kind = {**payload, "original_type": kind}, ev.INFO
    timestamp, ack = fields.get("timestamp", stamp), fields.get("requires_ack", True)
    if not isinstance(timestamp, str) or not isinstance(ack, bool):
        raise BadLine("timestamp: a string, and requires_ack: true or false are needed")
    return Event(event_id, timestamp, str(source), target, kind, task, priority, payload, ack)


def message_of(data: bytes, agent: str, place: str, knows: Callable[[str], bool]) -> Event | None:
    """A line of an agent's log: an INFO, or None for what is no message.

    Structured lines are events that were sent already. A message goes to the first agent that it names; where it names
    none that is known, to the name with which it ends, as an address; else to all.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadLine("not UTF-8") from None
    if not text.strip() or text.lstrip().startswith("{"):
        return None
    match = _PLAIN.fullmatch(text)
    if match is None:
        return None
    day, clock, intent, said = match.groups()
    named = (name for to in _TO.finditer(said) for name in (to[1], to[1].rstrip("._-")))
    target = next((name for name in named if name == ev.ALL or knows(name)), None) or _address_of(said)
    payload = {"intent": intent, "text": said[:4000]}
    return Event(place, f"{day}T{clock}.000Z", agent, target, ev.INFO, None, "normal", payload, True)


def _address_of(said: str) -> str:
    last = list(_TO.finditer(said))[-1:]
    name = last[0][1] if last and said.rstrip().endswith("@" + last[0][1]) else ev.ALL
    return name if is_agent_name(name) or name == ev.OPERATOR else ev.ALL


def confirmation_of(event_id: str, agent: str, stamp: str) -> Event:
    """What says that an event of an agent's mailbox stands in its file."""
    payload = {"ack_for_event_id": event_id}
    return Event(as_event_id(f"rc-{event_id}"), stamp, agent, ev.COORDINATOR, ev.ACK, None, "normal", payload, False)


def log_agent(name: str) -> str | None:
    """The agent whose outgoing log a file of that name is; None for any other file."""
    agent = name.removesuffix(".log")
    return agent if name.endswith(".log") and is_agent_name(agent) else None

