"""Whatever a program says, what an adapter tells of it fits into an event."""

import json

from hypothesis import given
from hypothesis import strategies as st

from kortana.agent.plain import last_of, plain

anything = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)


@given(anything, st.integers(8, 400))
def test_the_end_of_any_text_fits(text: str, most: int) -> None:
    found = plain(text, most)
    assert len(json.dumps(found, ensure_ascii=False).encode()) <= most
    if len(text) * 6 + 2 <= most and not any("\ud800" <= char <= "\udfff" for char in text):
        assert found == text


@given(st.lists(anything, max_size=20), st.integers(8, 2000))
def test_the_last_lines_that_fit_are_kept(lines: list[str], most: int) -> None:
    found = last_of(lines, most)
    assert len(json.dumps(found, ensure_ascii=False).encode()) <= most + 2
    assert len(found) <= len(lines)


def test_halves_of_a_character_are_joined() -> None:
    assert plain("a\ud83d\ude00b\ud83d", 100) == "a\N{GRINNING FACE}b\ufffd"
    assert plain("x" * 1000, 100) == "x" * 98
    assert last_of(["one", "two", "x" * 1000], 20)[-1] == "x" * 16
