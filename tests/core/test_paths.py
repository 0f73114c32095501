"""Path reservations against a plain reference: do two patterns match a common path?"""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kortana.core.paths import patterns_meet, segments_of


def as_regex(pattern: str) -> re.Pattern[str]:
    """A pattern in the reference's own terms: a regular expression over whole paths."""
    text = "".join(
        "(?:[^/]+/)*" if part == "**" else "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in part) + "/"
        for part in segments_of(pattern)
    )
    return re.compile(text)


ALPHABET = "ab"
NAMES = ["".join(letters) for n in (1, 2, 3) for letters in itertools.product(ALPHABET, repeat=n)]
PATHS = ["/".join(parts) + "/" for n in (1, 2, 3) for parts in itertools.product(NAMES[:6], repeat=n)]
PATHS += [name + "/" for name in NAMES]

segment = st.text(alphabet="ab*?", min_size=1, max_size=2).filter(lambda s: "**" not in s) | st.just("**")
patterns = st.lists(segment, min_size=1, max_size=3).map("/".join)


@given(patterns, patterns)
@settings(max_examples=600)
def test_two_patterns_meet_where_a_common_path_exists(first: str, second: str) -> None:
    a, b = as_regex(first), as_regex(second)
    common = [path for path in PATHS if a.fullmatch(path) and b.fullmatch(path)]
    if common:
        assert patterns_meet(first, second), common[0]
    elif patterns_meet(first, second):
        deep = [
            "/".join(parts) + "/"
            for n in (4, 5)
            for parts in itertools.product(["a", "b", "aa", "ab", "ba", "bb"], repeat=n)
        ]
        assert any(a.fullmatch(path) and b.fullmatch(path) for path in deep), (first, second)


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ("src/**", "src/main.py", True), ("src", "src/a/b.py", True), ("src/*.py", "src/*.md", False),
        ("*.md", "docs/guide.md", True), ("README.md", "docs/README.md", False), ("docs/*/a", "docs/b/*", True),
        ("src/[a-c].py", "src/d.py", False), ("src/[!a].py", "src/b.py", True), ("a/**/z", "a/z", True),
        ("tests/", "tests/unit/x.py", True), ("**", "anything/at/all", True), ("lib/\\*", "lib/x", False),
        ("src/../docs/*.md", "docs/a.md", True), ("*/../docs", "docs/a.md", True), ("a/**/../z", "a/b/z", True),
        ("../docs", "docs", False),
    ],
)  # fmt: skip
def test_git_style_globs(first: str, second: str, meet: bool) -> None:
    assert patterns_meet(first, second) is meet
    assert patterns_meet(second, first) is meet


@pytest.mark.parametrize(
    ("pattern", "members", "others"),
    [
        ("[a-c5]", "abc5", "d-4"), ("[!a-c]", "d]", "ab"), ("[^a]", "b^", "a"), ("[]a]", "]a", "b["),
        ("[!]a]", "b[", "]a"),
        (r"[\]a]", "]a", "b"), (r"[a\-c]", "a-c", "b"), (r"[+-\]]", "+]A", "!^"), ("[a-]", "a-", "b"),
        ("[c-a]", "c", "ab"),
        ("[[:alpha:]]", "aZ", "5:["), ("[[:digit:]x]", "5x", "y"), ("[![:punct:]]", "a5", "!~"),
        ("[[:alph]", "[:a", "bz]"),
        ("[[:no such:]]", "a5", ""), ("[a", "", "a"),
    ],
)  # fmt: skip
def test_classes_are_read_as_git_reads_them(pattern: str, members: str, others: str) -> None:
    """All of these but the last two as `git ls-files ':(glob)...'` shows them: there, one unknown class or one without
    an end matches nothing."""
    found = "".join(char for char in members + others if patterns_meet(f"d/{pattern}", f"d/\\{char}"))
    assert found == members


def test_two_classes_meet_where_they_share_a_character() -> None:
    assert patterns_meet("d/[[:alpha:]]", "d/[x5]") and not patterns_meet("d/[[:alpha:]]", "d/[_5]")


LONG = 5_000
HARD = {
    "many wildcards in a name": ("d/" + "*a" * LONG + "x", "d/" + "*b" * LONG + "y", False),
    "many wildcards, and a path for both": ("d/" + "*a" * LONG, "d/" + "*b" * LONG + "a", True),
    "any depth, again and again": ("d/" + "**/a*/" * LONG + "[x]", "d/" + "**/*b/" * LONG + "y", True),
    "classes without an end": ("d/" + "[[:" * LONG + r"\]", "d/" + "[a[:" * LONG + r"\]x", False),
    "classes by name": ("d/" + "[[:alpha:]]" * LONG, "d/" + "[[:alpha:]5]" * LONG, True),
    "a class of many": ("d/[" + "[:" * LONG + "x]", "d/:", True),
    "deep": ("d/" + "*/" * LONG + "x", "d" + "/?" * LONG, True),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HARD)
def test_patterns_that_are_hard_to_compare_take_no_longer_for_it(name: str) -> None:
    """State by state, two of them would take minutes and gigabytes."""
    first, second, meet = HARD[name]
    assert patterns_meet(first, second) is meet
    assert patterns_meet(second, first) is meet
