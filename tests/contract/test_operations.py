"""docs/operations.md names all that can be seen: states, reasons, log events and verdicts, as the code has them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kortana.actors.worker_view import LIVE, RESTING
from kortana.core import task
from kortana.protocol import reasons

ROOT = Path(__file__).parents[2]
NAMED = set(re.findall(r"`([A-Za-z_]+)`", (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")))


def calls_of(*names: str) -> Iterator[ast.Call]:
    """Every call of a function or method with one of these names, in all of Kortana."""
    for path in (ROOT / "kortana").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called in names:
                    yield node


def words_of(node: ast.expr) -> Iterator[str]:
    """The string, or both where it is one or another."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from words_of(node.body)
        yield from words_of(node.orelse)


def log_events() -> set[str]:
    found = {word for call in calls_of("_log", "log", "_log_and_tell", "_enter") for word in words_of(call.args[0])}
    found |= {w for call in calls_of("write") if call.keywords for w in words_of(call.args[0])}  # the log's own
    return found | {w for call in calls_of("_complain") for a in call.args[2:] for w in words_of(a)} | {"relay_unread"}


def verdicts() -> set[str]:
    found = {word for call in calls_of("Verdict") for word in words_of(call.args[0])}
    return found | {"hung", "not_ready", "supervisor_died"}  # which no literal call names


SEEN = {
    "worker states": {"waiting", "backoff", *LIVE, *RESTING},
    "task statuses": {task.PENDING, task.IN_PROGRESS, task.BLOCKED, *task.FINISHED},
    "reasons": {value for name, value in vars(reasons).items() if name.isupper()} | {"task_owned_by_NAME"},
    "log events": log_events(),
    "verdicts": verdicts(),
}


@pytest.mark.parametrize("what", SEEN)
def test_all_are_named(what: str) -> None:
    assert len(SEEN[what]) >= 6
    assert SEEN[what] - NAMED == set()
