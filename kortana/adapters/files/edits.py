"""What a person has changed in task_graph.json while nothing ran: the differences from what Kortana had written."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from kortana.core.task import Task

Edits = dict[str, dict[str, Any]]
"""Task → the payload of its OPERATOR_EDIT: `{"remove": true}`, `{"add": {...}}` or `{"set": {...}}`."""


class EditError(Exception):
    """An edit that cannot be taken over. Says where and why; nothing was changed."""

    def __init__(self, path: Path, line: int, what: str) -> None:
        super().__init__(f"{path.name}:{line}: {what}")
        self.path, self.line = path, line


class Graph(msgspec.Struct, frozen=True):
    """task_graph.json as it is read."""

    version: int
    seq: int
    updated_at: str
    tasks: dict[str, dict[str, Any]]


def read_graph(path: Path) -> Graph:
    """Raises EditError where the file does not parse, and OSError."""
    data = path.read_bytes()
    try:
        return msgspec.json.decode(data, type=Graph)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EditError(path, *_place_of(data, str(error))) from None


def _place_of(data: bytes, what: str) -> tuple[int, str]:
    """Line and reason of a parse error, by the standard library, which knows lines."""
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        return error.lineno, f"not JSON: {error.msg}"
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1, "not UTF-8"
    except RecursionError:
        pass
    return 1, what


def line_of(path: Path, task: str) -> int:
    """The line where a task's entry begins; 1 where it is not found."""
    mark = re.compile(rb'"%b"\s*:' % re.escape(task).encode())
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if mark.search(line):
                return number
    return 1


def differences(graph: Graph, tasks: dict[str, Task]) -> Edits:
    """Compares the file with the tasks as they stood at its `seq`."""
    found: Edits = {}
    for name, task in tasks.items():
        fields = graph.tasks.get(name)
        if fields is None:
            found[name] = {"remove": True}
            continue
        before = msgspec.json.decode(msgspec.json.encode(task))
        if fields == before:
            continue
        changed = {key: value for key, value in fields.items() if key not in before or before[key] != value}
        changed.update((key, None) for key in before if key not in fields and before[key] is not None)
        if changed:
            found[name] = {"set": changed}
    for name, fields in graph.tasks.items():
        if name not in tasks:
            found[name] = {"add": fields}
    return found
