"""What is known of deaths, until their records are there."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kortana.ports import CrashSettings, OutputLine, ProcessExit
from kortana.processes import black_box
from kortana.processes.black_box import BlackBox, clear_away, entries

ENV = {"API_TOKEN": "swordfish"}
SETTINGS = CrashSettings(["true"], "/", "0", None, ["PATH"])


def died(incarnation: int) -> Any:
    return SimpleNamespace(key=("w", incarnation), pid=4711, began=0.0, spec=SimpleNamespace(env=ENV))


def how(*lines: str, report: str = "") -> ProcessExit:
    output = [OutputLine("2026-01-01T00:00:00.000Z", "o", line) for line in lines]
    return ProcessExit(3, None, False, 0.1, 0.2, 1000, 0, output, report)


def keep(box: BlackBox, incarnation: int, *lines: str, report: str = "") -> Any:
    return box.keep(died(incarnation), how(*lines, report=report), SETTINGS)


def test_what_is_kept_is_there_until_the_last_record_that_is_owed(tmp_path: Path) -> None:
    path = tmp_path / "deaths"
    box = BlackBox(str(path))
    names = [keep(box, number) for number in (1, 2)]
    assert [(entry.name, entry.worker, entry.incarnation) for entry in entries(path)] == [
        (names[0], "w", 1), (names[1], "w", 2)
    ]  # fmt: skip
    box.settle(("w", 1))
    box.settle(("w", 7))
    assert len(list(entries(path))) == 2
    box.settle(("w", 2))
    assert path.read_bytes() == b""
    assert keep(box, 3) is not None
    box.close()
    box.settle(("w", 3))
    assert [entry.incarnation for entry in entries(path)] == [3] and keep(box, 4) is None
    clear_away(path)
    assert path.exists(), "something is owed"
    BlackBox(str(path)).close()
    clear_away(path)
    assert not path.exists()


def test_a_record_of_it_is_as_any_other(tmp_path: Path) -> None:
    box = BlackBox(str(tmp_path / "deaths"))
    keep(box, 1, "error: out of luck")
    [entry] = entries(tmp_path / "deaths")
    record = entry.record()
    assert (record["worker"], record["incarnation"], record["pid"], record["exit_code"]) == ("w", 1, 4711, 3)
    assert (record["verdict"], record["environment_names"], record["command"]) == ("exit", ["PATH"], ["true"])
    assert record["fingerprint"].startswith("v1-") and record["output"][0]["text"] == "error: out of luck"


def test_it_keeps_no_secrets(tmp_path: Path) -> None:
    box = BlackBox(str(tmp_path / "deaths"))
    keep(box, 1, "I am swordfish", "nothing here", report="swordfish too\nBearer abcdefghijkl")
    text = (tmp_path / "deaths").read_text()
    assert "swordfish" not in text and "abcdefghijkl" not in text and "nothing here" in text


def test_a_torn_line_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "deaths"
    box = BlackBox(str(path))
    keep(box, 1)
    keep(box, 2)
    path.write_bytes(path.read_bytes()[:-20])
    assert [entry.incarnation for entry in entries(path)] == [1]
    assert list(entries(tmp_path / "nowhere")) == []


def test_a_short_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deaths"
    box = BlackBox(str(path))
    keep(box, 1)
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:50]))
        assert keep(box, 2) is None
    assert keep(box, 3) is not None
    assert [entry.incarnation for entry in entries(path)] == [1, 3]


def test_what_cannot_be_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep(BlackBox(str(tmp_path / "no folder" / "deaths")), 1) is None
    assert keep(BlackBox("/dev/full"), 1) is None
    box = BlackBox(str(tmp_path / "deaths"))
    monkeypatch.setattr(black_box, "MAX_BYTES", 1000)
    kept = [keep(box, number, "x" * 200) for number in (1, 2)]
    assert kept[0] is not None and kept[1] is None
    box.settle(("w", 1))
    assert keep(box, 3, "x" * 200) is not None, "there is room again"
