"""Whatever stands where a value or a key belongs: the configuration is read, or what is wrong is told. Nothing else."""

import os
import random
import re
from pathlib import Path

import pytest

from kortana.config.load import load_config
from kortana.config.nodes import ConfigError
from tests.config.test_nodes import BLOCKS, TEXTS

ROUNDS = 5_000 if os.environ.get("KORTANA_LONG") else 250
SAMPLES = [text for text in (*TEXTS, *BLOCKS) if "workers:" in text or "tasks:" in text]
PLACES = re.compile(r"(?<=: )([^\s,{}\[\]#]+)|(?<=[\[,] )([^\s,{}\[\]:]+)|([A-Za-z_]+)(?=:)")
LONG = "p" * 300
WILD = [
    "[]", "{}", "null", "[a]", "{a: 1}", "[[a]]", "[{a: b}]", "{[a]: b}", "[null]", '""', '"\\0"', '"\\n"', "0", "-1",
    "1e308", ".inf", ".nan", "9" * 30, "2020-01-01", "12:30:45", "0x1F", "true", "on", "=", "<<", "*a", "&a x", "!x y",
    "!!binary aGk=", '!!binary "*"', "!!set {a}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!python/object:os.system x",
    "!!int x", '!!int ""', "!!int 1:x", "!!float x", '!!float ""', "!!bool maybe", "!!timestamp x", "!!null x",
    "!!seq x", '"${X"', '"${}"', '"${X:?no}"', '"${X:-y}"', "$$", "é", '"\\uD800"', '"a b"', "../x", "/", LONG, "-5s",
    "1e99s", "9999999h", "0ms", "10GiB", "-1MiB", "SIGTERM", "1e-320",
]  # fmt: skip


def told(folder: Path, text: str) -> list[str]:
    path = folder / "kortana.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_config(path, {})
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.timeout(3600)
def test_nothing_but_a_config_error_comes_of_it(tmp_path: Path) -> None:
    rng, refused = random.Random(11), 0
    for _ in range(ROUNDS):
        text = rng.choice(SAMPLES)
        for _ in range(rng.randint(1, 3)):
            place = rng.choice(list(PLACES.finditer(text)))
            text = text[: place.start()] + rng.choice(WILD) + text[place.end() :]
        try:
            refused += bool(told(tmp_path, text))
        except Exception as error:
            raise AssertionError(text) from error
    assert ROUNDS / 2 < refused < ROUNDS, "most of it is wrong, and told; some may stand there"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a]: 1", "3:1: a key must be plain text"),
        ("tasks: [{id: a, {x: y}: 1}]", "3:17: tasks[0]: a key must be plain text"),
        ("project: !!bool maybe", "3:10: project: 'maybe' is no bool"),
        ('coordinator: {max_attempts: !!int ""}', "3:29: coordinator.max_attempts: '' is no int"),
        ("defaults: {profile: " + LONG + "}", f"3:21: workers.a.profile: {LONG}: File name too long"),
    ],
)
def test_what_had_no_place_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    found = told(tmp_path, f"version: 1\nworkers: {{a: {{command: [x]}}}}\n{text}\n")
    assert found and found[0].endswith(f"kortana.yaml:{problem}"), found
