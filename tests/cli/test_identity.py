"""A command that a worker's agent starts without the worker's environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(120)
WORKER = {
    "KORTANA_AGENT": "codex", "KORTANA_TOKEN": "t0k", "KORTANA_SOCKET": "/run/k/kortana.sock", "KORTANA_TASK": "t",
}  # fmt: skip
LOOK = """
import json, os
from kortana.cli.identity import take_after_worker
take_after_worker()
print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("KORTANA_")}))
"""


def seen(folder: Path, above: dict[str, str], **own: str) -> dict[str, str]:
    """What a process finds that has only `own`, below a shell that has `above`."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("KORTANA_")}
    given = " ".join(f"{name}={value}" for name, value in {"PATH": bare["PATH"], **own}.items())
    script = f"env -i {given} {sys.executable} -c '{LOOK}'; exit $?"  # the shell stays, as our parent
    words = ["sh", "-c", script]
    done = subprocess.run(words, cwd=folder, env={**bare, **above}, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_it_is_taken_from_the_nearest_ancestor_that_has_one(tmp_path: Path) -> None:
    assert seen(tmp_path, WORKER) == WORKER
    assert seen(tmp_path, WORKER, KORTANA_AGENT="codex") == WORKER, "only the token was kept back"


def test_who_has_been_told_who_he_is_is_nobody_else(tmp_path: Path) -> None:
    assert seen(tmp_path, WORKER, KORTANA_AGENT="other") == {"KORTANA_AGENT": "other"}


def test_where_no_ancestor_is_a_worker_s_there_is_nothing_to_take(tmp_path: Path) -> None:
    assert seen(tmp_path, {}) == {}


def test_where_another_kortana_runs_nothing_is_taken(tmp_path: Path) -> None:
    run = tmp_path / "data" / "run"
    run.mkdir(parents=True)
    (tmp_path / "kortana.yaml").write_text("version: 1\n")
    (run / "endpoint.json").write_text(json.dumps({"socket": str(run / "kortana.sock"), "pid": 1}))
    assert seen(tmp_path, WORKER) == {}
    assert seen(tmp_path, {**WORKER, "KORTANA_SOCKET": str(run / "kortana.sock")})["KORTANA_AGENT"] == "codex"
