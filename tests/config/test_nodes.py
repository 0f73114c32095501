"""libyaml and PyYAML itself make the same of a configuration: what is read must not depend on how PyYAML was built."""

import random
import re
from pathlib import Path

import pytest
import yaml

from kortana.config.nodes import Reader, compose_file

ROOT = Path(__file__).parents[2]
BLOCKS = [
    block for page in sorted((ROOT / "docs").glob("*.md"))
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]  # fmt: skip
TEXTS = [path.read_text(encoding="utf-8") for path in [ROOT / "kortana.yaml", *sorted(ROOT.glob("config/**/*.yaml"))]]
INSERTED = [
    "&a ", "*a", "<<: *a", "- ", "\n  ", "!!str ", "\r\n", "# ", "'", '"', "|", ">", "é", "\U0001f600", "${X}", "~",
    "{", "]",
]  # fmt: skip


def told(file: Path, monkeypatch: pytest.MonkeyPatch, quick: bool) -> object:
    """What a file is read as, place by place; or what is said to be wrong."""
    reader = Reader({})
    with monkeypatch.context() as patch:
        if not quick:
            patch.delattr(yaml, "CSafeLoader")
        root = compose_file(file, "kortana.yaml", reader)
    return reader.problems if root is None else list(walk(root, set()))


def walk(node: yaml.Node, seen: set[int]) -> "list[tuple[object, ...]]":
    mark, plain = node.start_mark, isinstance(node, yaml.ScalarNode)
    found = [(node.tag, mark.name, mark.line, mark.column, node.value if plain else "", plain and not node.style)]
    if id(node) not in seen and not plain:
        seen.add(id(node))
        for entry in node.value:
            for child in entry if isinstance(entry, tuple) else (entry,):
                found += walk(child, seen)
    return found


def same(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    file = folder / "kortana.yaml"
    file.write_text(text, encoding="utf-8", newline="")
    return told(file, monkeypatch, True) == told(file, monkeypatch, False)


@pytest.mark.parametrize("text", [*TEXTS, *BLOCKS, "\ufeffversion: 1\r\nworkers: {a: {command: [x]}}\r\n"])
def test_both_read_the_same(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert same(text, tmp_path, monkeypatch)


def test_both_read_the_same_of_what_a_hand_has_slipped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(7)
    for _ in range(150):
        text = rng.choice(TEXTS)
        place = rng.randrange(len(text))
        slipped = text[:place] + rng.choice(INSERTED) + text[place + rng.randrange(3) :]
        assert same(slipped, tmp_path, monkeypatch), slipped


REFUSED = ["version: 1\nworkers:\n\ta: {}\n", "workers: {a: {restart: al\tways}}\n", "a: [1\n", "{" * 5000]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_is_refused_in_the_same_words(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kortana.yaml"
    file.write_text(text)
    found = told(file, monkeypatch, True)
    assert isinstance(found, list) and len(found) == 1 and found == told(file, monkeypatch, False)
    assert found[0].file == "kortana.yaml" and found[0].what
