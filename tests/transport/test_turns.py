"""Who floods gets short turns while others speak, and keeps them while it floods on."""

import socket
from collections.abc import Callable, Iterator

import pytest

from kortana.protocol import event as ev
from kortana.protocol.codec import encode_json
from kortana.transport.connection import Connection, Frame, Inbound
from kortana.transport.outgoing import make_event
from kortana.transport.peer import Peer
from kortana.transport.turns import BEHIND_FRAMES, BRIEF_FRAMES, COMPANY_TURNS, FRAMES, Turns

Speaker = Callable[[int], Connection]


@pytest.fixture
def speaker() -> Iterator[Speaker]:
    """Makes a connection that has just been read from, with so many lines."""
    pairs = []

    def make(lines: int) -> Connection:
        pairs.append(socket.socketpair())
        connection = Connection(len(pairs), pairs[-1][0], Peer(0, 0))
        say(connection, lines)
        return connection

    yield make
    for pair in pairs:
        for end in pair:
            end.close()


def say(connection: Connection, lines: int) -> None:
    connection.lines.extend(encode_json(make_event("a", ev.HEARTBEAT)) for _ in range(lines))


def given(turns: Turns, *speaking: Connection, brief: bool = False) -> dict[int, int]:
    """Connection → the frames that it got in a turn."""
    inbound: list[Inbound] = []
    turns.give(list(speaking), inbound, brief)
    counts: dict[int, int] = {}
    for frame in inbound:
        assert isinstance(frame, Frame)
        counts[frame.conn.id] = counts.get(frame.conn.id, 0) + 1
    return counts


def test_one_that_is_alone_gets_long_turns_and_shorter_ones_while_others_wait(speaker: Speaker) -> None:
    turns, alone = Turns(), speaker(1000)
    assert given(turns, alone) == {alone.id: FRAMES}
    assert given(turns) == {alone.id: FRAMES}
    assert given(turns, brief=True) == {alone.id: BRIEF_FRAMES}
    assert not turns.is_crowded


def test_one_that_floods_gets_little_while_others_speak_and_for_some_turns_after(speaker: Speaker) -> None:
    turns, flood, other = Turns(), speaker(1000), speaker(1)
    given(turns, flood)
    assert given(turns, other) == {other.id: 1, flood.id: BEHIND_FRAMES}
    assert turns.is_crowded
    for _ in range(COMPANY_TURNS - 1):
        assert given(turns) == {flood.id: BEHIND_FRAMES} and turns.is_crowded
    assert given(turns) == {flood.id: FRAMES}
    assert not turns.is_crowded, "the others have fallen silent"


def test_what_floods_on_after_its_last_line_has_no_long_turn_at_once(speaker: Speaker) -> None:
    turns, flood, other = Turns(), speaker(FRAMES + 3), speaker(1)
    given(turns, flood, other)
    assert given(turns) == {flood.id: 3}
    assert turns.is_crowded, "there may be more in its socket"
    say(flood, 100)
    assert given(turns, flood) == {flood.id: BEHIND_FRAMES}


def test_whoever_has_paused_for_a_turn_does_not_flood(speaker: Speaker) -> None:
    turns, flood, other = Turns(), speaker(FRAMES + 3), speaker(1)
    given(turns, flood, other)
    given(turns)
    given(turns)
    assert not turns.is_crowded
    say(flood, 100)
    assert given(turns, flood) == {flood.id: FRAMES}


def test_what_is_forgotten_gets_nothing(speaker: Speaker) -> None:
    turns, flood, other = Turns(), speaker(1000), speaker(1)
    given(turns, flood, other)
    turns.forget(flood)
    assert given(turns) == {} and not turns.is_crowded


def test_many_that_send_at_once_and_are_through_do_not_flood(speaker: Speaker) -> None:
    turns, several = Turns(), [speaker(FRAMES) for _ in range(4)]
    assert given(turns, *several) == {connection.id: FRAMES for connection in several}
    assert not turns.is_crowded
