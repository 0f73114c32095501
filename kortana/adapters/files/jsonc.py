"""JSON as people write it, with comments and trailing commas: single entries put in and taken out again.

All that stands beside the entry stays as it is, byte by byte: order, spacing, comments, line ends.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from kortana.protocol.parsing import parse_json

_PIECES = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\r\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[}\]])')
_DECODER = json.JSONDecoder()
MISSING = object()


class _Child(NamedTuple):
    """A member or element: its key, where it begins, where its value does, and where it ends."""

    key: str | None
    start: int
    value: int
    end: int


class _Text:
    """A text, and beside it the same without comments (`bare`), and also without trailing commas (`plain`): of the same
    length, so that a place in one is a place in all. Raises ValueError for what is no JSON even then."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.bare = _PIECES.sub(lambda found: found[0] if found[0][0] == '"' else _blank(found[0]), text)
        if self.bare.startswith("\ufeff"):
            self.bare = " " + self.bare[1:]
        self.plain = _TRAILING.sub(self._without_comma, self.bare)
        self._line_comments = {found.end() for found in _PIECES.finditer(text) if found[0].startswith("//")}
        try:
            self.data = parse_json(self.plain)
        except ValueError as error:
            raise ValueError(f"not JSON ({error})") from None
        self.newline = "\r\n" if "\r\n" in text else "\n"
        unit = re.search(r"\n([ \t]+)\S", text)
        self.unit = unit[1] if unit else "  "

    def _without_comma(self, found: re.Match[str]) -> str:
        at = found.start() - 1
        while at >= 0 and self.bare[at].isspace():
            at -= 1
        return found[0] if found[0] != "," or at < 0 or self.bare[at] in "{[,:" else " "

    def skip(self, at: int) -> int:
        """The next place that is no space."""
        while self.plain[at].isspace():
            at += 1
        return at

    def children(self, at: int) -> tuple[list[_Child], int]:
        """What stands in the object or array at a place, and where that one closes."""
        found, is_object = [], self.plain[at] == "{"
        at = self.skip(at + 1)
        while self.plain[at] not in "}]":
            key, start = None, at
            if is_object:
                key, at = _DECODER.raw_decode(self.plain, at)
                at = self.skip(self.skip(at) + 1)
            _, end = _DECODER.raw_decode(self.plain, at)
            found.append(_Child(key, start, at, end))
            at = self.skip(end)
            if self.plain[at] == ",":
                at = self.skip(at + 1)
        return found, at

    def container(self, keys: tuple[str, ...]) -> int:
        """Where the value below these keys begins; they are there."""
        at = self.skip(0)
        for key in keys:
            at = next(child.value for child in reversed(self.children(at)[0]) if child.key == key)
        return at

    def value(self, keys: tuple[str, ...]) -> Any:
        """What stands below these keys; they are there."""
        found = self.data
        for key in keys:
            found = found[key]
        return found

    def place(self, keys: tuple[str, ...], name: str) -> int:
        """Which child of the object below these keys has a name: the last one, which is the one that counts."""
        return _last(child.key == name for child in self.children(self.container(keys))[0])

    def indent_at(self, at: int) -> str:
        """The spaces before what stands first in that line."""
        line = self.text[self.text.rfind("\n", 0, at) + 1 : at]
        return line[: len(line) - len(line.lstrip(" \t"))]

    def put(self, keys: tuple[str, ...], name: str | None, value: Any) -> str:
        """As the last of what the object (or with no name the array) below these keys holds."""
        text, opened = self.text, self.container(keys)
        children, closed = self.children(opened)
        is_spread = "\n" in (text[opened:closed] if children else text)
        last = len(text[:closed].rstrip())
        indent = self.indent_at(children[-1].start if children else opened) + ("" if children else self.unit)
        member = "" if name is None else json.dumps(name, ensure_ascii=False) + ": "
        if is_spread:
            lines = json.dumps(value, indent=self.unit, ensure_ascii=False).split("\n")
            member += (self.newline + indent).join(lines)
            member = self.newline + indent + member
        else:
            member += json.dumps(value, ensure_ascii=False)
        if not children:
            after = self.newline + self.indent_at(opened) if is_spread else ""
            return text[:last] + member + after + text[closed:]
        member = member if is_spread else " " + member
        end = children[-1].end
        if "," in self.bare[end:closed]:
            return text[:last] + member + "," + text[last:]
        return text[:end] + "," + text[end:last] + member + text[last:]

    def cut(self, keys: tuple[str, ...], at: int) -> str:
        """Without one child of the object or array below these keys; `put` undone where it is the last."""
        text, opened = self.text, self.container(keys)
        children, closed = self.children(opened)
        start, end = children[at].start, children[at].end
        before = len(text[:start].rstrip())
        comma = self.bare.find(",", end, closed if at + 1 == len(children) else children[at + 1].start)
        rest = text[closed if len(children) == 1 else comma + 1 if comma >= 0 else end :]
        head = text[:before]
        if before in self._line_comments and not re.match(r"[ \t]*\r?\n", rest):
            head += self.newline  # or the rest would be comment
        if len(children) == 1 or comma >= 0:
            return head + rest
        comma = self.bare.rindex(",", children[at - 1].end, start)
        return head[:comma] + head[comma + 1 :] + rest


def _last(is_it: Iterable[bool]) -> int:
    """The place of the last True, of which there is one."""
    return max(at for at, found in enumerate(is_it) if found)


def _blank(comment: str) -> str:
    return re.sub(r"[^\r\n]", " ", comment)


def _shaped(value: Any, shape: type, keys: tuple[str, ...]) -> Any:
    if not isinstance(value, shape):
        kind, place = ("an object" if shape is dict else "an array"), ".".join(keys)
        raise ValueError(f"{kind} is needed" + (f" at {place!r}" if place else ""))
    return value


class Entry:
    """One member of an object in such a file, or one element of an array.

    keys: what leads to the object or array; what is missing of it is made. name: the member's, or None for an element.
    """

    def __init__(self, keys: tuple[str, ...], name: str | None, value: Any) -> None:
        self._keys, self._name, self._value = keys, name, value

    def found(self, text: str) -> Any:
        """The member's value, or the element; MISSING where there is none. Raises ValueError for another shape."""
        found = _Text(text).data if text.strip() else {}
        for depth, key in enumerate(self._keys):
            found = _shaped(found, dict, self._keys[:depth]).get(key, MISSING)
            if found is MISSING:
                return MISSING
        if self._name is None:
            return self._value if self._value in _shaped(found, list, self._keys) else MISSING
        return _shaped(found, dict, self._keys).get(self._name, MISSING)

    def added(self, text: str) -> str:
        """The text with the entry, which is not there. Raises ValueError."""
        assert self.found(text) is MISSING
        if not text.strip():
            text = "{\n}\n"
        parsed, known = _Text(text), 0
        inner = parsed.data
        while known < len(self._keys) and self._keys[known] in inner:
            inner = inner[self._keys[known]]
            known += 1
        value = [self._value] if self._name is None else {self._name: self._value}
        if known == len(self._keys):
            return parsed.put(self._keys, self._name, self._value)
        for key in reversed(self._keys[known + 1 :]):
            value = {key: value}
        return parsed.put(self._keys[:known], self._keys[known], value)

    def removed(self, text: str) -> str | None:
        """The text without the entry, which is there, and without what was made for it: as it was before `added`, where
        that can be told. None for no text. Raises ValueError."""
        assert self.found(text) is not MISSING
        parsed = _Text(text)
        if self._name is None:
            ours = _last(value == self._value for value in parsed.value(self._keys))
        else:
            ours = parsed.place(self._keys, self._name)
        candidates: list[str | None] = [parsed.cut(self._keys, ours)]
        for depth in range(len(self._keys) - 1, -1, -1):
            parsed = _Text(candidates[-1] or "")
            if parsed.value(self._keys[: depth + 1]):
                break
            candidates.append(parsed.cut(self._keys[:depth], parsed.place(self._keys[:depth], self._keys[depth])))
        if not _Text(candidates[-1] or "").data:
            candidates.append(None)
        candidates.reverse()
        return next((before for before in candidates if self.added(before or "") == text), candidates[0])
