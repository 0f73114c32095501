"""What an agent's side keeps of what has come: in order, and bounded as the coordinator's mailboxes are."""

from kortana.protocol.event import DIRECTIVE, INFO, Event
from kortana.transport.mailbox import Mailbox


def event(event_id: str, kind: str) -> Event:
    return Event(event_id, "", "b", "me", kind, None, "normal", {}, False)


def left(box: Mailbox) -> list[str]:
    return [box.take().id for _ in range(len(box))]


def test_a_full_one_drops_the_oldest_info_first_and_never_what_is_new() -> None:
    box = Mailbox(3)
    for event_id, kind in [("d1", DIRECTIVE), ("i2", INFO), ("d3", DIRECTIVE), ("i4", INFO), ("d5", DIRECTIVE)]:
        box.put(event(event_id, kind))
    assert left(box) == ["d1", "d3", "d5"]


def test_where_there_is_no_info_the_oldest_goes() -> None:
    box = Mailbox(2)
    for number in range(5):
        box.put(event(f"d{number}", DIRECTIVE))
    assert left(box) == ["d3", "d4"]
