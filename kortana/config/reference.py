"""All keys of kortana.yaml, with what they take, their defaults and what they are for: by the table that reads them."""

import json
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from kortana.config import schema
from kortana.config.descriptions import DESCRIPTIONS
from kortana.config.kinds import Fields, ListOf, MapOf
from kortana.config.scalars import DURATION, SIZE, Kind
from kortana.config.spec import Config
from kortana.config.units import duration_text, size_text

_UNSPECIFIED = {"data_dir": "data"}
"""Defaults that stand in no spec."""


class Key(msgspec.Struct, frozen=True):
    """One key. In its path NAME is any name, and `[]` any element."""

    path: str
    kind: str
    """What it takes, for a person."""
    default: str | None
    """As one would write it; None where there is none."""
    text: str


def keys() -> list[Key]:
    """All of them, in the order of the schema; those of a worker stand there once, and not below `defaults` again."""
    return list(_keys_of(schema.TOP, "", Config))


def _keys_of(fields: Fields, path: str, spec: Any) -> Iterator[Key]:
    known = {field.name: field for field in msgspec.structs.fields(spec)}
    for name, kind in fields.fields.items():
        where = f"{path}.{name}".lstrip(".")
        field = known.get(name)
        default = None if field is None or isinstance(kind, Fields | MapOf) else _default_text(kind, field)
        yield Key(where, kind.told(), default or _UNSPECIFIED.get(where), DESCRIPTIONS[where])
        if field is not None:
            yield from _inner(kind, where, field.type)


def _inner(kind: Kind, path: str, spec: Any) -> Iterator[Key]:
    """The keys below one."""
    if isinstance(kind, Fields):
        yield from _keys_of(kind, path, spec)
    elif isinstance(kind, MapOf) and isinstance(kind.value, Fields):
        yield from _keys_of(kind.value, f"{path}.NAME", get_args(spec)[0])
    elif isinstance(kind, ListOf) and isinstance(kind.item, Fields):
        yield from _keys_of(kind.item, f"{path}[]", get_args(spec)[0])


def _default_text(kind: Kind, field: Any) -> str | None:
    value = field.default
    if value is msgspec.NODEFAULT or value is None or value in ("", ()):
        return None
    if kind.schema() == DURATION.schema():
        return duration_text(value)
    if kind.schema() == SIZE.schema():
        return size_text(value)
    return value if isinstance(value, str) else json.dumps(value)


def told_of(wanted: str) -> list[Key]:
    """A key and those below it; all where it is empty. It may name a worker of anyone's, or an element by number, or be
    only the end of a path: `stop`."""
    parts, known = _parts_of(wanted), [(_parts_of(key.path), key) for key in keys()]
    return [key for path, key in known if path[: len(parts)] == parts] or [
        key for path, key in known if any(path[at : at + len(parts)] == parts for at in range(len(path)))
    ]


def _parts_of(path: str) -> list[str]:
    """`workers.claude.stop`, `defaults.stop` and `tasks[3].id` in the terms of the table."""
    parts = [part.partition("[")[0] for part in path.split(".") if part]
    if parts[:1] == ["defaults"] and len(parts) > 1:
        parts[:1] = ["workers", "NAME"]
    if parts[:1] == ["workers"] and len(parts) > 1:
        parts[1] = "NAME"
    return parts


def json_schema() -> dict[str, Any]:
    """The JSON Schema of kortana.yaml (draft 2020-12), with what each key is for."""
    found: dict[str, Any] = json.loads(json.dumps(schema.TOP.schema()))  # nothing in it is shared
    for key in keys():
        parts = key.path.replace("[]", ".[]").split(".")
        _describe(found, parts, key)
        if parts[:2] == ["workers", "NAME"] and len(parts) > 2:
            _describe(found, ["defaults", *parts[2:]], key)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "kortana.yaml", **found}


def _describe(node: dict[str, Any], parts: list[str], key: Key) -> None:
    for part in parts:
        if part == "NAME":
            node = node["additionalProperties"]
        else:
            node = node["items"] if part == "[]" else node["properties"][part]
    node["description"] = key.text if key.default is None else f"{key.text} Default: {key.default}"


_SECTIONS = (
    ("The project", ("version", "project", "data_dir", "guard", "defaults")),
    ("coordinator", ("coordinator",)), ("supervisor", ("supervisor",)), ("journal", ("journal",)),
    ("relay", ("relay",)), ("workers", ("workers",)), ("tasks", ("tasks",)),
)  # fmt: skip


BEGIN = "<!-- made by `make docs` from kortana/config -->\n"


def with_tables(page: str) -> str:
    """docs/kortana-yaml.md with all that comes after BEGIN made anew. Raises ValueError where there is no BEGIN."""
    head, begin, _ = page.partition(BEGIN)
    if not begin:
        raise ValueError(f"there is no line {BEGIN!r}")
    return head + begin + "\n" + "\n".join(_tables()) + "\n"


def _tables() -> Iterator[str]:
    for number, (title, tops) in enumerate(_SECTIONS):
        yield from ("",) if number else ()
        yield from (f"## {title}", "", "| key | takes | default | |", "|---|---|---|---|")
        yield from (_row(key) for top in tops for key in told_of(top))


def _row(key: Key) -> str:
    default = "" if key.default is None else f"`{key.default}`"
    return f"| `{key.path}` | {key.kind} | {default} | {key.text} |"
