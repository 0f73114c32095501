"""Whatever stands in a field of a structured line: it is an event, or a bad line, which is skipped. Nothing else."""

import json
from typing import Any

import pytest

from kortana.adapters.relay.lines import BadLine, event_of, message_of
from kortana.protocol.event import Event

WHOLE: dict[str, Any] = {
    "id": "1", "timestamp": "2026-01-01T00:00:00.000Z", "source": "a", "target": "coordinator",
    "event_type": "TASK_CLAIM", "task_id": "t", "priority": "normal", "payload": {}, "requires_ack": True,
}  # fmt: skip
WILD = [
    None, True, 0, -1, 10**30, 1.5, "", "x", "x" * 5000, "\0", "../x", "all", "operator", [], ["a"], {}, {"a": [{}]},
]  # fmt: skip


@pytest.mark.parametrize("field", WHOLE)
@pytest.mark.parametrize("value", WILD)
def test_a_field_is_right_or_the_line_is_bad(field: str, value: Any) -> None:
    try:
        event = event_of(json.dumps({**WHOLE, field: value}).encode(), "place", "now")
    except BadLine as error:
        assert str(error)
    else:
        assert isinstance(event, Event) and {type(text) for text in (event.id, event.target, event.priority)} == {str}


@pytest.mark.parametrize("field", ["id", "timestamp", "target", "task_id", "priority", "payload", "requires_ack"])
def test_what_may_be_missing_is_made_up(field: str) -> None:
    assert event_of(json.dumps({name: WHOLE[name] for name in WHOLE if name != field}).encode(), "place", "now")


@pytest.mark.parametrize("line", [b"\xff", b"", b"[", b"{", b"[2026-01-01 00:00:00] INTENT: \xff", b"{" * 5000, b"\0"])
def test_a_line_that_is_neither_is_bad_or_nothing(line: bytes) -> None:
    with pytest.raises(BadLine):
        event_of(line, "place", "now")
    try:
        assert message_of(line, "a", "place", lambda name: True) is None
    except BadLine as error:
        assert str(error) == "not UTF-8"
