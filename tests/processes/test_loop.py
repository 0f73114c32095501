"""What a turn of the launcher's loop has handled, and what it leaves to the next one."""

import os

from kortana.processes.loop import Loop


def test_a_file_that_took_the_number_of_one_that_was_ready_is_not_taken_for_ready() -> None:
    loop = Loop()
    (first, to_first), (second, to_second) = os.pipe(), os.pipe()
    called: list[str] = []
    others: dict[int, int] = {}

    def replace_the_other(own: int, other: int) -> None:
        called.append("before")
        os.read(own, 1)
        loop.unwatch(other)
        read_end, write_end = os.pipe()
        if read_end != other:  # the kernel gives out the lowest free number, most often this one
            os.dup2(read_end, other)
            os.close(read_end)
        others[other] = write_end
        loop.watch(other, lambda: called.append("new"))

    loop.watch(first, lambda: replace_the_other(first, second))
    loop.watch(second, lambda: replace_the_other(second, first))
    for end in (to_first, to_second):
        os.write(end, b"x")
    loop.turn()
    assert called == ["before"], "both were ready; the handler of one has put another file in the other's place"
    ((number, write_end),) = others.items()
    os.write(write_end, b"y")
    loop.turn()
    assert called == ["before", "new"] and number in (first, second)


def test_one_that_is_closed_by_a_handler_is_not_called_any_more() -> None:
    loop = Loop()
    (first, to_first), (second, to_second) = os.pipe(), os.pipe()
    called: list[int] = []

    def close(other: int) -> None:
        called.append(other)
        loop.unwatch(other)

    loop.watch(first, lambda: close(second))
    loop.watch(second, lambda: close(first))
    for end in (to_first, to_second):
        os.write(end, b"x")
    loop.turn()
    assert len(called) == 1
