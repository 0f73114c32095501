"""The kinds of value that hold others: lists, mappings, commands. Each reads a node, and gives its JSON Schema."""

import shlex
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import yaml

from kortana.config.nodes import Reader, is_null
from kortana.config.scalars import BAD, LOOSE_TEXT, TEXT, Kind, Scalar


class ListOf:
    """A sequence of one kind."""

    def __init__(self, item: Kind, at_least: int = 0) -> None:
        self.item, self._at_least = item, at_least

    def read(self, reader: Reader, node: yaml.Node, path: str) -> Any:
        if not isinstance(node, yaml.SequenceNode) or len(node.value) < self._at_least:
            reader.problem(node, path, "a list is needed" + (" (not an empty one)" if self._at_least else ""))
            return BAD
        found = [
            self.item.read(reader, item, f"{path}[{index}]")
            for index, item in enumerate(node.value)
            if reader.visit(item, path)
        ]
        return BAD if BAD in found else tuple(found)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema(), "minItems": self._at_least}

    def told(self) -> str:
        return f"a list; each is {self.item.told()}" if isinstance(self.item, Scalar) else "a list of mappings"


class MapOf:
    """A mapping from names to one kind."""

    def __init__(self, key: Scalar, value: Kind) -> None:
        self._key, self.value = key, value

    def read(self, reader: Reader, node: yaml.Node, path: str) -> Any:
        if not isinstance(node, yaml.MappingNode):
            reader.problem(node, path, "a mapping is needed")
            return BAD
        found, bad = {}, False
        for key, (key_node, value_node) in reader.pairs(node, path).items():
            if not reader.visit(value_node, path):
                return BAD
            name = self._key.read(reader, key_node, f"{path}.{key}")
            value = self.value.read(reader, value_node, f"{path}.{key}")
            bad = bad or name is BAD or value is BAD
            found[key] = value
        return BAD if bad else found

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.value.schema()}

    def told(self) -> str:
        return f"a mapping to {self.value.told()}" if isinstance(self.value, Scalar) else "a mapping from names"


class Command:
    """A list of words, or one string that is split as a shell splits words."""

    def read(self, reader: Reader, node: yaml.Node, path: str) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return ListOf(LOOSE_TEXT, at_least=1).read(reader, node, path)
        value = TEXT.read(reader, node, path)
        if value is BAD:
            return BAD
        try:
            words = shlex.split(value)
        except ValueError as error:
            reader.problem(node, path, f"not words that a shell could split: {error}")
            return BAD
        if not words:
            reader.problem(node, path, "a command is needed, not an empty string")
            return BAD
        return tuple(words)

    def schema(self) -> dict[str, Any]:
        return {"oneOf": [TEXT.schema(), ListOf(TEXT, at_least=1).schema()]}

    def told(self) -> str:
        return "a list of words, or one string"


class Fields:
    """A mapping with known keys. An unknown key is a problem, with the nearest known one."""

    def __init__(self, fields: Mapping[str, Kind], required: Sequence[str] = ()) -> None:
        self.fields, self._required = dict(fields), tuple(required)

    def read(self, reader: Reader, node: yaml.Node, path: str) -> Any:
        if is_null(node):
            node = yaml.MappingNode("tag:yaml.org,2002:map", [], node.start_mark, node.end_mark)
        if not isinstance(node, yaml.MappingNode):
            reader.problem(node, path, "a mapping is needed")
            return BAD
        return self.read_pairs(reader, node, reader.pairs(node, path), path)

    def read_pairs(
        self, reader: Reader, node: yaml.Node, pairs: Mapping[str, tuple[yaml.Node, yaml.Node]], path: str
    ) -> dict[str, Any]:
        """The values that are there and right; what is wrong is told to the reader."""
        found = {}
        for key, (key_node, value_node) in pairs.items():
            where = f"{path}.{key}".lstrip(".")
            if key not in self.fields:
                close = get_close_matches(key, self.fields, 1)
                hint = f" (did you mean {close[0]}?)" if close else f"; known: {', '.join(sorted(self.fields))}"
                reader.problem(key_node, where, f"unknown key{hint}")
            elif is_null(value_node) and isinstance(self.fields[key], ListOf | MapOf):
                continue  # all that it had is commented out
            elif reader.visit(value_node, where):
                value = self.fields[key].read(reader, value_node, where)
                if value is not BAD:
                    found[key] = value
        for key in self._required:
            if key not in pairs:
                reader.problem(node, path, f"{key} is missing")
        return found

    def schema(self) -> dict[str, Any]:
        properties = {key: kind.schema() for key, kind in self.fields.items()}
        found = {"type": "object", "properties": properties, "additionalProperties": False}
        return {**found, "required": list(self._required)} if self._required else found

    def told(self) -> str:
        return "a mapping"
