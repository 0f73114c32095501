"""The journal's lines as JSON, for people who look at it. Nothing is checked, and a torn last line is left out."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kortana.adapters.files.segments import lines_of, offset_after, segment_paths
from kortana.cli.errors import DAMAGED, CliError
from kortana.protocol import event as ev
from kortana.protocol.codec import encode_json
from kortana.protocol.legible import legible
from kortana.protocol.parsing import parse_json


def field_text(name: str, value: str) -> bytes:
    """How a field stands in every line that has it."""
    return b'"%b":%b' % (name.encode(), encode_json(value))


def records_of(journal: Path, after_seq: int = 0, holding: tuple[bytes, ...] = ()) -> Iterator[dict[str, Any]]:
    """Oldest first. holding: only lines with all of these texts; decoding is what costs. Raises CliError."""
    paths = segment_paths(journal)
    for path, following in itertools.zip_longest(paths, paths[1:]):
        begin = offset_after(path, after_seq) if after_seq else 0
        if following is not None and begin and begin >= path.stat().st_size:
            continue
        for offset, line in lines_of(path, begin, holding):
            if line.endswith(b"\n"):
                yield record_in(line, f"{path.name}, offset {offset}")


def record_in(line: bytes, place: str) -> dict[str, Any]:
    """Raises CliError where it is none."""
    try:
        found = parse_json(line)
        if isinstance(found["payload"], dict):
            return dict(found)
    except (ValueError, LookupError, TypeError):
        pass
    raise CliError(DAMAGED, "damaged", f"{place}: no record", "`kortana fsck` explains")


SAID_CHARS = 100
_SAYING = ("instruction", "status", "reason", "detail", "details", "text")


def in_words(record: dict[str, Any]) -> str:
    """What a record says, for a person, on one line; empty where its type says it all."""
    payload = record["payload"]
    if record["event_type"] != ev.ACK or record["source"] != ev.COORDINATOR:  # others say what they like
        parts = [payload[name] for name in _SAYING if isinstance(payload.get(name), str)]
        if isinstance(progress := payload.get("progress"), int | float):
            parts.append(f"{progress:g} %")
        said = ", ".join(part for part in parts if part)
    elif not payload["accepted"]:
        said = f"refused: {payload['reason']}"
    elif "lease" in payload:
        said = f"granted, token {payload['lease']['token']}, for {payload['lease']['ttl_s']:g} s"
    else:
        said = f"accepted: {payload['task']['status']}" if "task" in payload else "accepted"
    line = legible(" ".join(said.split()))
    return line if len(line) <= SAID_CHARS else line[: SAID_CHARS - 3] + "..."
