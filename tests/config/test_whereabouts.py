"""Where a configuration's data stands: told from its text alone only where that leaves no doubt."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kortana.cli.common import Project
from kortana.cli.errors import CliError
from kortana.config.whereabouts import data_dir_above, plain_data_dir, why_no_file

HEAD = "version: 1\nworkers: {a: {command: [sleep, '1']}}\n"
PLAIN = {
    "none named": (HEAD, "data"),
    "only in comments": (f"# data_dir: x\n{HEAD}  # data_dir: y\n", "data"),
    "a plain one": (f"{HEAD}data_dir: .kortana/data   # the journal\n", ".kortana/data"),
    "by Windows": (f"{HEAD}data_dir: state\n".replace("\n", "\r\n"), "state"),
    "a variable": (f"{HEAD}data_dir: ${{X:-data}}\n", None),
    "a home": (f"{HEAD}data_dir: ~/data\n", None),
    "in quotes": (f"{HEAD}data_dir: 'state'\n", None),
    "a quoted key": (f"{HEAD}'data_dir': state\n", None),
    "in one line": ("{version: 1, data_dir: state, workers: {}}\n", None),
    "elsewhere too": (f"{HEAD}data_dir: state\ntasks: [{{id: t, run: 'echo data_dir'}}]\n", None),
    "twice": (f"{HEAD}data_dir: state\ndata_dir: other\n", None),
}


@pytest.mark.parametrize("name", PLAIN)
def test_the_text_tells_it_or_nothing(tmp_path: Path, name: str) -> None:
    text, expected = PLAIN[name]
    config = tmp_path / "kortana.yaml"
    config.write_bytes(text.encode())
    for folder in ("data", ".kortana/data", "state", "other"):
        (tmp_path / folder / "run").mkdir(parents=True)
    found = plain_data_dir(config)
    assert found == (tmp_path / expected if expected else None)
    if found is not None:
        assert str(found) == Project(config).config.data_dir, "as the whole configuration says"


def test_before_the_first_up_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    config = tmp_path / "kortana.yaml"
    config.write_text(HEAD)
    assert Project(config).layout.root == tmp_path / "data"
    config.write_text("version: [\n")
    with pytest.raises(CliError, match=r"kortana\.yaml:"):
        Project(config)


ABOVE = {
    "its own, by default": ("p/sub/deep", "p/data"),
    "its own, as said": ("q", "q/state/k"),
    "its own, said with a variable": ("v/sub", "v/state"),
    "its own, though its configuration is broken": ("b", "b/state"),
    "one above, where it has run, and below it has not": ("p/new", "p/data"),
    "one without a configuration of that name": ("n", "n/data"),
    "that of another configuration": ("q/other.yaml", "q/theirs"),
    "none yet": ("fresh/sub", "fresh/state"),
    "none at all": ("elsewhere", "elsewhere/data"),
}


@pytest.mark.parametrize("name", ABOVE)
def test_the_data_of_the_nearest_project_is_found(tmp_path: Path, name: str) -> None:
    projects = {
        "p": (HEAD, "data"), "q": (f"{HEAD}data_dir: state/k\n", "state/k"),
        "v": (f"{HEAD}data_dir: ${{NOT_SET_HERE:-state}}\n", "state"),
        "b": (f"{HEAD}data_dir: 'state'\nx: [\n", "state"),
        "n": (None, "data"), "p/new": (f"{HEAD}data_dir: state\n", None), "fresh": (f"{HEAD}data_dir: state\n", None),
    }  # fmt: skip
    for folder in ("p/sub/deep", "p/new", "v/sub", "fresh/sub", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    for folder, (text, data) in projects.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        if text is not None:
            (tmp_path / folder / "kortana.yaml").write_text(text)
        if data is not None:
            (tmp_path / folder / data / "run").mkdir(parents=True)
    (tmp_path / "q" / "other.yaml").write_text(f"{HEAD}data_dir: theirs\n")
    start, expected = ABOVE[name]
    assert data_dir_above(tmp_path / start) == tmp_path / expected


def test_data_that_may_not_be_looked_into_is_where_it_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "kortana.yaml"
    config.write_text(f"{HEAD}data_dir: theirs\n")
    look = os.stat

    def refused(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if str(path).startswith(str(tmp_path / "theirs")):
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refused)
    assert Project(config).layout.root == data_dir_above(tmp_path) == tmp_path / "theirs"


def _loaded(folder: Path, code: str) -> list[str]:
    """What an interpreter of its own prints."""
    (folder / "data" / "run").mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"import sys\n{code}"], cwd=folder, capture_output=True, text=True, timeout=60,
        check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


def test_who_asks_for_what_runs_does_not_read_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "kortana.yaml").write_text(HEAD)
    code = "from kortana.cli.app import app; sys.argv[1:] = ['ps']\n"
    code += "try: app()\nexcept Exception as error: print(error)\nprint('yaml' in sys.modules)"
    assert _loaded(tmp_path, code) == ["Kortana is not running here", "False"]


@pytest.mark.parametrize("said", ["", "# data_dir: x\n", "data_dir: data # ours\n"])
def test_an_agent_finds_its_kortana_by_next_to_nothing(tmp_path: Path, said: str) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "kortana.yaml").write_text(HEAD + said)
    (tmp_path / "kortana.yaml").symlink_to("real/kortana.yaml")
    code = "from kortana.cli.conversation import _data_dir; print(_data_dir(None)); print('click' in sys.modules)"
    assert _loaded(tmp_path, code) == [str(tmp_path / "real" / "data"), "False"]


def test_why_a_file_cannot_be_read_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    told = {name: why_no_file(tmp_path / name, name) for name in ("file", "none", "file/none", ".", "loop", "a\0b")}
    assert told == {
        "file": "", "none": "there is no file none", "file/none": "there is no file file/none", ".": ". is no file",
        "loop": "loop: Too many levels of symbolic links", "a\0b": "there is no file a\0b",
    }  # fmt: skip
