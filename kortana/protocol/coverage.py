"""May these paths be edited? How the query `coverage` is asked, and what its answer means.

Imports next to nothing: a hook that stands before every edit asks.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MAX_PATHS, MAX_BYTES = 256, 32 * 1024
"""Of one question; the answer has to fit into a frame too."""


def in_parts(paths: Iterable[str]) -> list[list[str]]:
    """As many as one question may hold. A path that is no UTF-8 is asked for with signs in place of what is none."""
    parts: list[list[str]] = [[]]
    size = 0
    for path in paths:
        asked = path.encode("utf-8", "replace").decode()
        size += len(json.dumps(asked))
        if len(parts[-1]) == MAX_PATHS or (size > MAX_BYTES and parts[-1]):
            parts.append([])
            size = len(json.dumps(asked))
        parts[-1].append(asked)
    return parts


class Objection:
    """Why a path may not be edited, and what its agent may do about that."""

    __slots__ = ("advice", "fact")

    def __init__(self, fact: str, advice: str) -> None:
        self.fact, self.advice = fact, advice


def objection(path: str, found: dict[str, Any], name: str) -> Objection | None:
    """found: what the answer says of the path. Who is no agent only keeps out of others' paths."""
    if found["mine"] or (not name and not found["others"]):
        return None
    if found["others"]:
        other = found["others"][0]
        held = f"{path} is held by {other['owner']} (task {other['task']})"
        return Objection(held, "take another task, or wait for it")
    uncovered = f"{path} is not covered by a task that {name} holds"
    return Objection(uncovered, "claim a task whose paths cover it first")
