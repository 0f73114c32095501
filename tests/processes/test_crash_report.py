"""What comes on the crash pipe is believed only where it has the shape that the bootstrap gives it."""

import json
from typing import Any

import pytest

from kortana.core.fingerprint import fingerprint_of
from kortana.core.verdict import Death, verdict_of
from kortana.processes.crash_report import split_report
from kortana.processes.evidence import EXCEPTION_MARK, MAX_TEXT, describe


def line(exception: Any) -> str:
    return f"{EXCEPTION_MARK}{json.dumps(exception)}}}\n"


def chained() -> BaseException:
    try:
        try:
            raise ExceptionGroup("both", [ValueError("a" * 2 * MAX_TEXT), KeyError("k")])
        except ExceptionGroup as inner:
            inner.add_note("a note")
            raise RuntimeError("outer") from inner
    except RuntimeError as error:
        return error


def test_an_exception_with_its_chain_its_group_and_its_notes_is_found_among_stacks() -> None:
    said = describe(chained())
    exception, stacks = split_report(f"Fatal Python error\n{line(said)}Thread 1\n")
    assert exception == said and stacks == "Fatal Python error\nThread 1"


NONSENSE = {
    "a number": line(5),
    "nothing in it": line({}),
    "no message": line({"type": "E", "frames": []}),
    "frames of another kind": line({"type": "E", "message": "m", "frames": [5]}),
    "a cause of another kind": line({"type": "E", "message": "m", "frames": [], "cause": "c"}),
    "too deep": EXCEPTION_MARK + '{"type":"E","message":"m","frames":[],"cause":' * 20_000,
    "cut off": line({"type": "E", "message": "m", "frames": []})[:-4],
}


@pytest.mark.parametrize("name", NONSENSE)
def test_what_is_no_exception_is_kept_as_text_and_the_death_is_judged_without_it(name: str) -> None:
    exception, stacks = split_report(NONSENSE[name])
    assert exception is None and stacks == NONSENSE[name].strip()
    death = Death(1, None, exception=exception, stacks=stacks)
    assert verdict_of(death).kind == "exit"
    assert fingerprint_of("exit", "code 1", exception, stacks, []).startswith("v1-")
