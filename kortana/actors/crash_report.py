"""What a Python worker said of its own end, read strictly: any program may have written to that pipe."""

from typing import Any

import msgspec

from kortana.processes.evidence import EXCEPTION_MARK


class _Frame(msgspec.Struct):
    file: str
    line: int | None
    function: str
    text: str = ""


class _Exception(msgspec.Struct):
    """As `evidence.describe` gives it."""

    type: str
    message: str
    frames: list[_Frame]
    notes: list[str] = []
    cause: "_Exception | None" = None
    context: "_Exception | None" = None
    group: list["_Exception"] = []


class _Report(msgspec.Struct):
    kortana_exception: _Exception


_check = msgspec.json.Decoder(_Report).decode


def split_report(report: str) -> tuple[dict[str, Any] | None, str]:
    """The last exception, and the stacks as text; a line that only begins like an exception stays text."""
    exception, stacks = None, []
    for line in report.splitlines():
        if line.startswith(EXCEPTION_MARK):
            try:
                _check(line)
                exception = msgspec.json.decode(line)["kortana_exception"]
                continue
            except (msgspec.MsgspecError, RecursionError):
                pass
        stacks.append(line)
    return exception, "\n".join(stacks).strip()
