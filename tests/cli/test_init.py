"""What `kortana init` writes."""

import re
from pathlib import Path

from click.testing import CliRunner

from kortana.cli.init import init
from kortana.config.load import load_config


def test_its_examples_are_right_once_their_comment_signs_are_gone(tmp_path: Path) -> None:
    assert CliRunner().invoke(init, [str(tmp_path)]).exit_code == 0
    path = tmp_path / "kortana.yaml"
    assert {worker.name for worker in load_config(path).workers} == {"worker"}
    path.write_text(re.sub(r"(?m)^( *)# (?=\S| )", r"\1", path.read_text().split("\n", 1)[1]))
    found = load_config(path)
    workers = {worker.name: worker for worker in found.workers}
    assert set(workers) == {"worker", "claude", "server", "robot"} and workers["claude"].agent == "claude"
    assert [task.id for task in found.tasks] == ["hello", "goodbye", "parser"] and found.tasks[2].paths
