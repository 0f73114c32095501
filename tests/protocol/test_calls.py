"""Arguments of commands: typed, and bounded without a word left out in silence."""

from kortana.protocol import coverage
from kortana.protocol.calls import MAX_PATHS, Paths, read_args


def test_more_paths_than_one_question_holds_are_refused_and_not_cut_off() -> None:
    assert isinstance(read_args("coverage", {"agent": "a", "paths": ["x"] * MAX_PATHS}), Paths)
    assert "length <= 256" in read_args("coverage", {"agent": "a", "paths": ["x"] * (MAX_PATHS + 1)})


def test_the_guard_which_loads_none_of_this_asks_for_no_more() -> None:
    assert coverage.MAX_PATHS == MAX_PATHS
