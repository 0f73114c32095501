"""What others have written as JSON is read, or is wrong; nothing that they write ends who reads it."""

from pathlib import Path

import pytest

from kortana.adapters.files.edits import EditError, read_graph
from kortana.adapters.relay.unanswered import Answered
from kortana.agent.clis import READERS, Outcome
from kortana.cli.errors import CliError
from kortana.cli.records import record_in
from kortana.processes.leftovers import end_leftovers, remembered_run
from kortana.protocol.parsing import parse_json
from kortana.transport.endpoint import read_endpoint
from tests.agent.streams import read_line

DEEP = b"[" * 100_000
DEEP_OBJECT = b'{"type":"ACK","payload":' + DEEP


@pytest.mark.parametrize("text", ["", "[", "NaN,", DEEP, DEEP_OBJECT])
def test_whatever_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", bytes(range(256)), DEEP, DEEP_OBJECT])
def test_files_of_a_run_that_are_damaged_are_as_if_they_were_not_there(tmp_path: Path, content: bytes) -> None:
    for name in ("endpoint.json", "processes.json"):
        (tmp_path / name).write_bytes(content)
    assert read_endpoint(tmp_path) is None
    assert remembered_run(tmp_path / "processes.json") is None and end_leftovers(tmp_path / "processes.json") == 0


def test_a_nested_line_is_no_record_and_no_answer() -> None:
    with pytest.raises(CliError, match="no record"):
        record_in(DEEP_OBJECT, "line 1")
    assert not Answered(DEEP_OBJECT + b"\n").by_former("x")


def test_a_nested_task_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "task_graph.json"
    path.write_bytes(b'{"version":1,"seq":1,"updated_at":"","tasks":{"a":{"result":' + DEEP)
    with pytest.raises(EditError, match=r"task_graph.json:1: "):
        read_graph(path)


ENDLESS = '{"type":"result","usage":{"input_tokens":1e999},"stats":[],"part":{"cost":[]}}'


@pytest.mark.parametrize("stream", READERS)
@pytest.mark.parametrize("line", [DEEP_OBJECT.decode(), ENDLESS])
def test_an_odd_line_of_a_command_line_agent_is_noise(stream: str, line: str) -> None:
    outcome = Outcome()
    read_line(stream, line, outcome)
    assert outcome.error == "" and not outcome.tokens
