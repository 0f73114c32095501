"""What a shell completes, asked for as bash asks."""

import json
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from kortana.cli.app import app

CONFIG = """\
version: 1
workers:
  claude: {command: [x]}
  pair: {command: [x], replicas: 2}
"""
TASKS = {"build": {"status": "pending", "title": "Build it", "attempts": 0}, "bench": {"status": "completed"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kortana.yaml").write_text(CONFIG)
    (tmp_path / "data" / "crashes").mkdir(parents=True)
    (tmp_path / "data" / "crashes" / "20260101T000000-claude-1-abcd.json").touch()
    (tmp_path / "data" / "task_graph.json").write_text(json.dumps({"version": 1, "tasks": TASKS}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def complete(line: str) -> list[str]:
    *words, incomplete = line.split(" ")
    return [item.value for item in BashComplete(app, {}, "kortana", "_X").get_completions(words[1:], incomplete)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("kortana stop ", ["claude", "pair", "pair-1", "pair-2"]),
        ("kortana stop pair-1 p", ["pair", "pair-2"]),
        ("kortana logs k", ["kortana"]),
        ("kortana scale ", ["claude=", "pair="]),
        ("kortana tasks show bu", ["build"]),
        ("kortana tasks retry build ", ["bench"]),
        ("kortana why ", ["build", "bench"]),
        ("kortana events --task be", ["bench"]),
        ("kortana events --agent c", ["claude"]),
        ("kortana crashes show ", ["20260101T000000-claude-1-abcd"]),
        ("kortana agent cl", ["claim"]),
        ("kortana agent claim bu", ["build"]),
        ("kortana agent send ", []),
        ("kortana agent claim build ", []),
        ("kortana mcp install co", ["codex"]),
        ("kortana guard install ", ["claude", "git"]),
        ("kortana guard check ", []),
    ],
)
def test_names_of_the_project_are_completed(project: Path, line: str, found: list[str]) -> None:
    assert complete(line) == found


def test_a_task_is_shown_with_how_it_stands(project: Path) -> None:
    items = BashComplete(app, {}, "kortana", "_X").get_completions(["why"], "")
    assert [item.help for item in items] == ["pending Build it", "completed"]


def test_another_projects_file_is_heeded(project: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "kortana.yaml").write_text("version: 1\nworkers: {other: {command: [x]}}\n")
    assert complete("kortana stop -f other/kortana.yaml ") == ["other"]


def test_where_nothing_can_be_read_nothing_fits_and_nobody_complains(project: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / "task_graph.json").write_text("{")
    assert complete("kortana why ") == []
    (tmp_path / "data" / "task_graph.json").unlink()
    assert complete("kortana why ") == []
    (tmp_path / "kortana.yaml").unlink()
    assert complete("kortana stop ") == []
