"""Text as an event can carry it: valid Unicode, and of a bounded size as JSON."""

import json
from collections.abc import Iterable


def plain(text: str, most_bytes: int) -> str:
    """The end of a text. Halves of a character that came in two pieces of a stream are joined, or replaced."""
    found = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    while found and (size := _size(found)) > most_bytes:
        keep = min(len(found) - 1, len(found) * most_bytes // size)
        found = found[len(found) - keep :]
    return found


def last_of(lines: Iterable[str], most_bytes: int) -> list[str]:
    """The last lines, as many as there is room for."""
    found: list[str] = []
    for line in reversed(list(lines)):
        text = plain(line, most_bytes - 2)
        most_bytes -= _size(text) + 2
        if most_bytes < 0:
            break
        found.insert(0, text)
    return found


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())
