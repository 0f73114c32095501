"""The list of crash records."""

import pytest

from kortana.cli.crashes import _some


@pytest.mark.parametrize(("count", "shown"), [(1, "w1"), (4, "w1,w2,w3,w4"), (6, "w1,w2,w3,w4 and 2 more")])
def test_many_workers_that_died_alike_are_one_short_column(count: int, shown: str) -> None:
    assert _some([f"w{number}" for number in range(1, count + 1)]) == shown
