"""What the text of a kortana.yaml says plainly, without a parser, which takes longer to load than most commands run."""

from __future__ import annotations

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-")


def said_data_dir(text: str) -> str | None:
    """The value of `data_dir`, as it stands there, or its default; None where the text leaves a doubt."""
    naming = [line for line in text.splitlines() if "data_dir" in line and not line.lstrip().startswith("#")]
    if not naming:
        return "data"
    key, _, rest = naming[0].partition(": ")
    value, _, comment = rest.partition(" #")
    value = value.strip()
    if len(naming) > 1 or key != "data_dir" or "data_dir" in comment or not value or not _PLAIN.issuperset(value):
        return None
    return value
