"""Entries in a person's JSON: put in and taken out, whatever the file looks like."""

import json
import os
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kortana.adapters.files.jsonc import MISSING, Entry

MEMBER = Entry(("servers",), "ours", {"command": "k", "args": ["a", {"b": None}]})
ELEMENT = Entry(("hooks", "before"), None, {"matcher": "x", "hooks": [1, 2]})
GAPS = ["", "", " ", "\n", "\n\t", "\n  ", "  ", " /* \"a\": }], // */ ", " // ends, \"here\n", "\r\n"]
NAMES = st.sampled_from(["servers", "hooks", "before", "a", "b // c", 'quo"te', "é\\"])
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("/* no comment, ] */"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
FILES = st.fixed_dictionaries({}, optional={
    "a": VALUES, "servers": st.dictionaries(NAMES, VALUES, max_size=3), "z": VALUES,
    "hooks": st.fixed_dictionaries({}, optional={"before": st.lists(VALUES, max_size=3), "c": VALUES}),
})  # fmt: skip


def _written(value: Any, draw: Any) -> str:
    """With gaps, comments and trailing commas wherever there may be any."""

    def gap() -> str:
        return str(draw(st.sampled_from(GAPS)))

    def listed(items: list[str]) -> str:
        text = ",".join(gap() + item + gap() for item in items)
        return text + ("," + gap() if items and draw(st.booleans()) else "") if items else gap()

    if isinstance(value, dict):
        return "{" + listed([json.dumps(k) + gap() + ":" + gap() + _written(v, draw) for k, v in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + listed([_written(item, draw) for item in value]) + "]"
    return json.dumps(value)


def _read(text: str) -> Any:
    """By other means than the code under test: comments and trailing commas go, one piece after the other."""
    out, at = "", 0
    while at < len(text):
        for pattern, kept in ((r'"(?:[^"\\]|\\.)*"', True), (r"//[^\n]*|/\*(?:.|\n)*?\*/", False)):
            if found := re.compile(pattern).match(text, at):
                out += found[0] if kept else ""
                at = found.end()
                break
        else:
            if text[at] in "]}" and out.rstrip().endswith(","):
                out = out.rstrip()[:-1]
            out += text[at]
            at += 1
    return json.loads(out)


@settings(max_examples=5_000 if os.environ.get("KORTANA_LONG") else 80)
@given(st.data(), FILES)
def test_an_entry_comes_and_goes_and_nothing_else_changes(data: st.DataObject, value: dict[str, Any]) -> None:
    text = _written(value, data.draw)
    assert _read(text) == value
    for entry, keys in ((MEMBER, ("servers",)), (ELEMENT, ("hooks", "before"))):
        added = entry.added(text)
        assert entry.found(added) == entry._value
        expected = json.loads(json.dumps(value))
        inner = expected
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        if entry is MEMBER:
            inner.setdefault(keys[-1], {})["ours"] = entry._value
        else:
            inner.setdefault(keys[-1], []).append(entry._value)
        assert _read(added) == expected
        removed = entry.removed(added)
        assert _without_empty(_read(removed) if removed else {}, keys) == _without_empty(value, keys)
        inner = value
        for key in keys:
            inner = inner.get(key, MISSING) if isinstance(inner, dict) else MISSING
        if value and (inner if inner is not MISSING else entry is MEMBER or value.get("hooks", True)):
            assert removed == text, "byte by byte, where nothing empty hides what was made"


def _without_empty(value: Any, keys: tuple[str, ...]) -> Any:
    """What is empty and could have been made for the entry counts as missing."""
    if not keys or keys[0] not in value:
        return value
    inner = _without_empty(value[keys[0]], keys[1:])
    rest = {key: item for key, item in value.items() if key != keys[0]}
    return {**rest, keys[0]: inner} if inner else rest


@pytest.mark.parametrize("text", ['{"servers": []}', "[]", "3", '{"hooks": {"before": {}}, "servers": 1}', "{,}", "{]"])
def test_another_shape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is needed|not JSON"):
        (ELEMENT if "hooks" in text or text == "[]" else MEMBER).found(text)


def test_a_text_as_an_editor_would_write_it() -> None:
    """Indentation and the style of the neighbours are taken over."""
    assert MEMBER.added('{"servers": {"x": 1}}') == (
        '{"servers": {"x": 1, "ours": {"command": "k", "args": ["a", {"b": null}]}}}'
    )
    entry = Entry(("servers",), "ours", {"command": "k"})
    assert entry.added('{\n\t"servers": {\n\t\t"x": {} // note\n\t}\n}\n') == (
        '{\n\t"servers": {\n\t\t"x": {}, // note\n\t\t"ours": {\n\t\t\t"command": "k"\n\t\t}\n\t}\n}\n'
    )
    assert entry.added("") == '{\n  "servers": {\n    "ours": {\n      "command": "k"\n    }\n  }\n}\n'
