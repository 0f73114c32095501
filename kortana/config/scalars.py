"""The kinds of single value that a key can have: each reads a node, and gives its JSON Schema."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

import yaml

from kortana.config.nodes import Reader
from kortana.config.units import bytes_of, seconds_of
from kortana.protocol.names import NAME_PATTERN

BAD = object()
"""What a kind gives after a problem."""


class Kind(Protocol):
    def read(self, reader: Reader, node: yaml.Node, path: str) -> Any:
        """The value, or BAD after telling the reader what is wrong."""

    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""

    def told(self) -> str:
        """What it is, in a few words for a person."""


class Scalar:
    """A single value that `convert` accepts or refuses with ValueError."""

    def __init__(self, what: str, convert: Callable[[object], Any], schema: dict[str, Any]) -> None:
        self._what, self._convert, self._schema = what, convert, schema

    def read(self, reader: Reader, node: yaml.Node, path: str) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            reader.problem(node, path, f"{self._what} is needed")
            return BAD
        before = len(reader.problems)
        value = reader.scalar(node, path)
        if len(reader.problems) > before:
            return BAD
        try:
            return self._convert(value)
        except ValueError as error:
            reader.problem(node, path, f"{error}, not {node.value!r}")
            return BAD

    def schema(self) -> dict[str, Any]:
        return self._schema

    def told(self) -> str:
        if "minimum" not in self._schema:
            return self._what
        low, high = self._schema["minimum"], self._schema["maximum"]
        return f"{self._what}, {low:,} to {high:,}" if low < high else f"{low:,}"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a string is needed (put it in quotes)")
    return _writable(value, str.encode)


def _loose_text(value: object) -> str:
    return _writable(_spelled(value), str.encode)


def _spelled(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _writable(text: str, encode: Callable[[str], bytes]) -> str:
    """No process can be given a NUL, and no file of Kortana's holds what is no text."""
    try:
        if b"\0" not in encode(text):
            return text
    except UnicodeEncodeError:
        pass
    raise ValueError("text without NUL that is valid Unicode is needed")


def _variable_name(value: object) -> str:
    text = _text(value)
    if not text or "=" in text:
        raise ValueError("the name of a variable is needed: not empty, without '='")
    return text


def _variable_value(value: object) -> str:
    """What `${VAR}` has brought from the system may be no UTF-8: it goes on as it came."""
    return _writable(_spelled(value), os.fsencode)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is needed")
    return value


TEXT = Scalar("a string", _text, {"type": "string"})
LOOSE_TEXT = Scalar("a value", _loose_text, {"type": ["string", "number", "boolean", "null"]})
VARIABLE = Scalar("the name of a variable", _variable_name, {"type": "string", "pattern": "^[^=]+$"})
VARIABLE_VALUE = Scalar("a value", _variable_value, LOOSE_TEXT.schema())
FLAG = Scalar("true or false", _flag, {"type": "boolean"})
DURATION = Scalar("a duration", seconds_of, {"type": ["string", "number"], "examples": ["500ms", "30s", "2m", 90]})
SIZE = Scalar("a size", bytes_of, {"type": ["string", "integer"], "examples": ["10MiB", "2GiB"]})


def positive_duration() -> Scalar:
    def convert(value: object) -> float:
        found = seconds_of(value)
        if found <= 0:
            raise ValueError("a duration of more than 0 is needed")
        return found

    return Scalar("a duration", convert, DURATION.schema())


def whole(low: int, high: int) -> Scalar:
    """A whole number from low to high."""

    def convert(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high} is needed")
        return value

    return Scalar("a whole number", convert, {"type": "integer", "minimum": low, "maximum": high})


def number(low: float, high: float) -> Scalar:
    """A number from low to high."""

    def convert(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"a number from {low:g} to {high:g} is needed")
        return float(value)

    return Scalar("a number", convert, {"type": "number", "minimum": low, "maximum": high})


def choice(options: Sequence[str], aliases: Mapping[str, str] | None = None) -> Scalar:
    """One of some words."""
    known = {**{option: option for option in options}, **(aliases or {})}

    def convert(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            close = get_close_matches(str(value), known, 1)
            hint = f" (did you mean {close[0]}?)" if close else ""
            raise ValueError(f"one of {', '.join(known)} is needed{hint}")
        return known[value]

    return Scalar("one of " + ", ".join(known), convert, {"enum": list(known)})


def pattern_text() -> Scalar:
    """A regular expression."""

    def convert(value: object) -> str:
        try:
            re.compile(_text(value))
        except re.error as error:
            raise ValueError(f"a regular expression is needed ({error})") from None
        return str(value)

    return Scalar("a regular expression", convert, {"type": "string", "format": "regex"})


def name_text(reserved: frozenset[str] = frozenset()) -> Scalar:
    """A name, as workers, agents and tasks have."""

    def convert(value: object) -> str:
        text = _text(value) if not isinstance(value, int) else str(value)
        if not re.fullmatch(NAME_PATTERN, text):
            raise ValueError("a name of 1 to 64 letters, digits, '.', '_', '-' is needed")
        if text in reserved:
            raise ValueError(f"{text} is reserved")
        return text

    return Scalar("a name", convert, {"type": "string", "pattern": f"^{NAME_PATTERN}$"})
