"""JSON that others have written: a file that somebody may have changed, a person's argument, an agent's output.

Loads next to nothing, for the commands that must not either.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Raises ValueError for what is no JSON, and for what is nested more deeply than Python follows."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
