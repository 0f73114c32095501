"""What is said of kortana.yaml's keys is said of all of them, and is what holds."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kortana.config.descriptions import DESCRIPTIONS
from kortana.config.load import load_config
from kortana.config.reference import json_schema, keys, told_of, with_tables
from kortana.config.spec import Config

PAGE = Path(__file__).parents[2] / "docs" / "kortana-yaml.md"


def test_every_key_has_a_description_and_nothing_else_has() -> None:
    assert [key.path for key in keys()] == list(DESCRIPTIONS)


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page) == page, "run `make docs`"


def loaded(folder: Path, content: dict[str, Any]) -> Config:
    path = folder / "kortana.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_config(path, {})


def test_a_default_is_what_holds_where_the_key_is_not_given(tmp_path: Path) -> None:
    """All of them, written out, come to what none of them comes to."""
    task, worker = {"id": "t"}, {"agent": "claude"}
    bare = {"version": 1, "workers": {"w": worker}, "tasks": [task]}
    full: dict[str, Any] = {"version": 1, "workers": {"NAME": dict(worker)}, "tasks": [dict(task)]}
    written = 0
    for key in keys():
        if key.default is None:
            continue
        place = full
        *above, name = key.path.replace("tasks[]", "tasks").split(".")
        for part in above:
            place = place.setdefault(part, {})
            place = place[0] if isinstance(place, list) else place
        place[name] = yaml.safe_load(key.default)
        written += 1
    full["workers"] = {"w": full["workers"]["NAME"]}
    assert written > 40 and loaded(tmp_path, full) == loaded(tmp_path, bare)


def test_the_schema_describes_every_property_of_its_own() -> None:
    def look(node: Any, where: str) -> None:
        for name, inner in node.get("properties", {}).items():
            assert inner["description"], f"{where}.{name}"
            look(inner, f"{where}.{name}")
        for inner in (node.get("items"), node.get("additionalProperties")):
            if isinstance(inner, dict):
                look(inner, f"{where}.")

    found = json_schema()
    look(found, "")
    described = found["properties"]["defaults"]["properties"]["stop"]["properties"]["grace"]
    assert described["description"].endswith("Default: 10s")
    assert "description" not in found["properties"]["workers"]["additionalProperties"]


@pytest.mark.parametrize(
    ("asked", "paths"),
    [
        ("workers.claude.stop", ["workers.NAME.stop", "workers.NAME.stop.signal", "workers.NAME.stop.grace"]),
        ("defaults.stop.grace", ["workers.NAME.stop.grace"]), ("tasks[3].run", ["tasks[].run"]),
        ("tasks.run", ["tasks[].run"]), ("defaults", ["defaults"]), ("grace", ["workers.NAME.stop.grace"]),
        ("stop.signal", ["workers.NAME.stop.signal"]), ("lease_ttl", ["coordinator.lease_ttl", "tasks[].lease_ttl"]),
        ("nothing", []), ("coordinator.", None), ("", None),
    ],
)  # fmt: skip
def test_a_key_is_found_as_one_would_write_it(asked: str, paths: list[str] | None) -> None:
    found = [key.path for key in told_of(asked)]
    assert found == paths if paths is not None else len(found) > 5
