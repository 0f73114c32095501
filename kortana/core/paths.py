"""Path reservations: whether two git-style globs can match a common path, and an index of those in force."""

import re
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache

_ANY_DEPTH = "**"
_MAGIC = frozenset("*?[")


@lru_cache(maxsize=4096)
def segments_of(pattern: str) -> tuple[str, ...]:
    """A pattern as path segments; a pattern covers what it names and everything below it.

    Without a slash, a pattern with a wildcard matches at any depth (`*.md`), a plain name only at the root
    (`README.md`), as git's pathspecs do. `..` takes back the folder before it.
    """
    parts: list[str] = []
    for part in pattern.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            if parts[-1] != _ANY_DEPTH:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if "/" not in pattern.rstrip("/") and parts and _MAGIC.intersection(parts[0]):
        parts.insert(0, _ANY_DEPTH)
    if not parts or parts[-1] != _ANY_DEPTH:
        parts.append(_ANY_DEPTH)
    return tuple(part for i, part in enumerate(parts) if part != _ANY_DEPTH or i == 0 or parts[i - 1] != part)


@lru_cache(maxsize=4096)
def _tokens(segment: str) -> tuple[str, ...]:
    """A segment as tokens: a character, `*`, `?`, or a class such as `[a-z]`. An escape makes a character plain.

    After a class without an end none is looked for any more: for git such a pattern matches nothing, and each of many
    `[` would be followed to the end of the segment.
    """
    found, i = [], 0
    may_be_class = True
    while i < len(segment):
        char = segment[i]
        if char == "\\" and i + 1 < len(segment):
            found.append("=" + segment[i + 1])
            i += 2
            continue
        if char == "[" and may_be_class:
            parsed = _class_at(segment, i)
            if parsed is not None:
                found.append(segment[i : parsed[0]])
                i = parsed[0]
                continue
            may_be_class = False
        if char != "*" or found[-1:] != ["*"]:
            found.append(char if char in "*?" else "=" + char)
        i += 1
    return tuple(found)


_Ranges = tuple[tuple[int, int], ...]
_NAMED = re.compile(r"\[:([^]]*):]")
_EVERYTHING = ((0, sys.maxunicode),)
_PUNCTUATION = ((33, 47), (58, 64), (91, 96), (123, 126))
_CLASSES: dict[str, _Ranges] = {
    "alpha": ((65, 90), (97, 122)), "digit": ((48, 57),), "alnum": ((48, 57), (65, 90), (97, 122)),
    "upper": ((65, 90),), "lower": ((97, 122),), "xdigit": ((48, 57), (65, 70), (97, 102)),
    "space": ((9, 13), (32, 32)), "blank": ((9, 9), (32, 32)), "cntrl": ((0, 31), (127, 127)),
    "punct": _PUNCTUATION, "graph": ((33, 126),), "print": ((32, 126),),
}  # fmt: skip
"""Name → its characters (ASCII)."""


def _class_at(text: str, start: int) -> tuple[int, bool, _Ranges] | None:
    """The class that begins with the `[` at a place: its end, whether it is negated, and its ranges. None: no class.

    Source: git, wildmatch.c: a `]` that stands first is a member, a backslash makes the next character one, and
    `[:alpha:]` within is a class by name. One that git does not know may be anything here.
    """
    at = start + 1
    negated = text[at : at + 1] in ("!", "^")
    at = first = at + negated
    ranges: list[tuple[int, int]] = []
    while at < len(text) and (text[at] != "]" or at == first):
        named = _NAMED.match(text, at)
        if named is not None:
            ranges += _CLASSES.get(named[1], _EVERYTHING)
            at = named.end()
            continue
        low, at = _member_at(text, at)
        high = low
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in ("", "]"):
            high, at = _member_at(text, at + 1)
        ranges.append((low, max(low, high)))
    return (at + 1, negated, tuple(ranges)) if at < len(text) else None


def _member_at(text: str, at: int) -> tuple[int, int]:
    """The character at a place, perhaps escaped, and the place after it."""
    at += text[at] == "\\" and at + 1 < len(text)
    return ord(text[at]), at + 1


@lru_cache(maxsize=4096)
def _class_members(token: str) -> tuple[bool, _Ranges]:
    parsed = _class_at(token, 0)
    assert parsed is not None
    return parsed[1:]


def _in_class(char: str, token: str) -> bool:
    negated, ranges = _class_members(token)
    return any(low <= ord(char) <= high for low, high in ranges) != negated


def _can_agree(a: str, b: str) -> bool:
    """Whether one character can match both tokens (neither is `*`). Two classes are taken to overlap unless
    both are plain and disjoint: a reservation may be too wide, never too narrow."""
    if a == "?" or b == "?":
        return True
    if a[0] == "=" and b[0] == "=":
        return a == b
    if a[0] == "=":
        return _in_class(a[1], b)
    if b[0] == "=":
        return _in_class(b[1], a)
    (not_a, ranges_a), (not_b, ranges_b) = _class_members(a), _class_members(b)
    return not_a or not_b or any(x[0] <= y[1] and y[0] <= x[1] for x in ranges_a for y in ranges_b)


def _meet(left: tuple[str, ...], right: tuple[str, ...], star: str, agree: Callable[[str, str], bool]) -> bool:
    """Whether one sequence can match both. star: the token that matches any number of anything.

    All states of `left` at once, a bit each (bit i: its first i tokens are used up), taken through `right` token by
    token: O(len(right)) operations on numbers of len(left) bits, and `agree` once for each pair of different tokens.
    """
    end = 1 << len(left)
    where: dict[str, int] = {}
    for index, token in enumerate(left):
        where[token] = where.get(token, 0) | 1 << index
    stars = where.pop(star, 0)
    agreeing: dict[str, int] = {}
    states = _past_stars(1, stars)
    for token in right:
        if token == star:
            states = (end << 1) - (states & -states)  # from the lowest on, all
        else:
            if token not in agreeing:
                agreeing[token] = sum(bits for other, bits in where.items() if agree(other, token))
            states = _past_stars((states & agreeing[token]) << 1 | states & stars, stars)
        if not states:
            return False
    return bool(states & end)


def _past_stars(states: int, stars: int) -> int:
    """A star may match nothing. No two of them stand side by side."""
    return states | (states & stars) << 1


@lru_cache(maxsize=65_536)
def _segments_meet(a: str, b: str) -> bool:
    """Whether one path segment can match both."""
    if not _MAGIC.intersection(a) and not _MAGIC.intersection(b) and "\\" not in a + b:
        return a == b
    return _meet(_tokens(a), _tokens(b), "*", _can_agree)


@lru_cache(maxsize=65_536)
def patterns_meet(a: str, b: str) -> bool:
    """Whether some path is covered by both patterns."""
    return _meet(segments_of(a), segments_of(b), _ANY_DEPTH, _segments_meet)


class _Node:
    __slots__ = ("below", "here")

    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.here: dict[str, dict[str, None]] = {}
        """Pattern → the tasks that reserve it."""


def _literal_prefix(pattern: str) -> tuple[str, ...]:
    prefix = []
    for segment in segments_of(pattern):
        if _MAGIC.intersection(segment) or "\\" in segment:
            break
        prefix.append(segment)
    return tuple(prefix)


class PathIndex:
    """The reservations in force, in a tree of their literal folders.

    Two patterns can only meet where one's literal folder lies on the way to the other's, so a look-up visits
    that way and what is below its end, not every reservation.
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._holders: dict[str, dict[str, None]] = {}
        """Pattern → the tasks that reserve it: one, since it meets itself, but after an edit."""

    def add(self, task: str, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            node = self._root
            for name in _literal_prefix(pattern):
                node = node.below.setdefault(name, _Node())
            self._holders[pattern] = node.here.setdefault(pattern, {})
            self._holders[pattern][task] = None

    def remove(self, task: str, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            holders = self._holders.get(pattern)
            if holders is None:
                continue
            holders.pop(task, None)
            if not holders:
                del self._holders[pattern]
                self._prune(pattern)

    def _prune(self, pattern: str) -> None:
        prefix = _literal_prefix(pattern)
        way = [self._root]
        for name in prefix:
            way.append(way[-1].below[name])
        del way[-1].here[pattern]
        for depth in range(len(prefix), 0, -1):
            if way[depth].below or way[depth].here:
                break
            del way[depth - 1].below[prefix[depth - 1]]

    def in_the_way(self, patterns: tuple[str, ...], known: str = "") -> tuple[str, str] | None:
        """A reservation that meets one of `patterns`, as (task, pattern), or None.

        known: a pattern that meets them; if it is reserved, that is found before all others.
        """
        if known in self._holders:
            return next(iter(self._holders[known])), known
        for pattern in patterns:
            for reserved, holders in self._near(_literal_prefix(pattern)):
                if patterns_meet(pattern, reserved):
                    return next(iter(holders)), reserved
        return None

    def covering(self, path: str) -> list[str]:
        """The tasks whose reservations cover a path (a plain one, not a pattern)."""
        literal = re.sub(r"([*?\[\\])", r"\\\1", path)
        prefix = tuple(part for part in path.split("/") if part not in ("", "."))
        if len(prefix) == 1:
            literal = f"./{literal}"
        found = [tasks for reserved, tasks in self._near(prefix) if patterns_meet(reserved, literal)]
        return list(dict.fromkeys(task for tasks in found for task in tasks))

    def _near(self, prefix: tuple[str, ...]) -> Iterator[tuple[str, dict[str, None]]]:
        node = self._root
        yield from node.here.items()
        for name in prefix:
            if name not in node.below:
                return
            node = node.below[name]
            yield from node.here.items()
        todo = list(node.below.values())
        while todo:
            below = todo.pop()
            yield from below.here.items()
            todo.extend(below.below.values())
