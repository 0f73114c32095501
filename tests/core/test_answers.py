"""Answers for repeats: the newest stay, a checkpoint keeps the generations as they were."""

import msgspec
import pytest

from kortana.core.answers import Answers
from kortana.core.checkpoint import Checkpoint, canonical, rest_of, restore
from kortana.core.limits import Limits
from kortana.core.state import State

KEPT = 5


def filled(count: int) -> Answers:
    answers = Answers()
    for number in range(count):
        answers.add(f"e{number}", (number, b"{}"), KEPT)
    return answers


@pytest.mark.parametrize("count", range(4 * KEPT))
def test_the_newest_are_kept_within_the_bound(count: int) -> None:
    answers = filled(count)
    assert min(count, KEPT) <= len(answers) <= 2 * KEPT
    names = [name for name, _ in answers.items()]
    assert names == [f"e{number}" for number in range(count - len(names), count)], "the newest, oldest first"
    assert all(name in answers and answers.get(name) is not None for name in names)
    assert f"e{count}" not in answers and answers.get(f"e{count}") is None


@pytest.mark.parametrize("count", range(4 * KEPT))
def test_a_checkpoint_goes_on_as_if_it_had_never_been(count: int) -> None:
    state = State(Limits(answers_kept=KEPT))
    state.answers = filled(count)
    rest = msgspec.structs.asdict(rest_of(state))
    found = msgspec.json.decode(msgspec.json.encode({**rest, "tasks": {}}), type=Checkpoint)
    other = restore(found)
    for number in range(count, count + 3 * KEPT):
        assert canonical(other) == canonical(state)
        for each in (state, other):
            each.answers.add(f"e{number}", (number, b"{}"), KEPT)
