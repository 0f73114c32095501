"""Connections without a socket."""

from kortana.transport.sinks import Sinks


def test_an_agents_new_sink_takes_the_place_of_its_old_one() -> None:
    sinks, old, new, other = Sinks(), list[bytes](), list[bytes](), list[bytes]()
    first, second = sinks.add("a", old.append), sinks.add("b", other.append)
    third = sinks.add("a", new.append)
    assert len({first, second, third}) == 3 and max(first, second, third) < 0
    assert (list(sinks.of("a")), list(sinks.of("b")), list(sinks.of("c"))) == ([third], [second], [])
    for number in (first, second, third, -9):
        sinks.give(number, [b"1", b"2"])
    assert (old, other, new) == ([], [b"1", b"2"], [b"1", b"2"])
