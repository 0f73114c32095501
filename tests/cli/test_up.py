"""What `up -d` says of workers that are not ready."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from kortana.cli.errors import DAMAGED, FAILED, REFUSED, TIMED_OUT, CliError
from kortana.cli.up import _ended_early, _wait_until_ready

WAITS = {"name": "a", "state": "starting", "ready": False, "last_exit": None}
PARKED = {"name": "b", "state": "parked", "last_exit": {"code": 75, "signal": None, "reason": "quota"}}
WELL = {**PARKED, "state": "running", "ready": True}


class FakeProject:
    """Whose `wait` ends with an error, and whose workers are by then as these rows say."""

    def __init__(self, error: CliError, *rows: dict[str, Any]) -> None:
        self._error, self._rows = error, rows

    def client(self) -> None:
        pass

    def call(self, command: str, timeout_s: float, client: None) -> None:
        raise self._error

    def pages(self, command: str, key: str) -> Iterator[dict[str, Any]]:
        yield from self._rows


def _told(error: CliError, *rows: dict[str, Any]) -> str:
    with pytest.raises(CliError) as found:
        _wait_until_ready(FakeProject(error, *rows), time.monotonic())  # type: ignore[arg-type]
    assert (found.value.exit_code, found.value.code) == (FAILED, "not_ready")
    return found.value.message


def test_who_was_not_ready_is_named_also_where_it_is_by_now() -> None:
    error = CliError(REFUSED, "not_ready", "refused: not_ready")
    error.result = {"workers": [PARKED]}
    assert _told(error, WELL) == "not every worker is ready: b is parked: exit code 75 (quota)"


def test_who_is_not_ready_in_time_is_named() -> None:
    error = CliError(TIMED_OUT, "timed_out", "no answer within 5 s")
    assert _told(error, WAITS, WELL) == "not every worker is ready: a is starting"
    assert _told(error, WELL) == "not every worker is ready: no answer within 5 s"


def test_a_supervisor_that_does_not_come_up_says_why_in_an_exit_code_of_ours() -> None:
    found = {code: _ended_early(code, "kortana: said") for code in (-9, 0, DAMAGED)}
    assert {code: error.exit_code for code, error in found.items()} == {-9: FAILED, 0: FAILED, DAMAGED: DAMAGED}
    assert found[-9].message == "the supervisor was ended by SIGKILL before it had come up"
    assert found[-9].hint == "kortana: said" and found[DAMAGED].message == "said"
    assert _ended_early(1, "").message == "the supervisor ended without a word"
