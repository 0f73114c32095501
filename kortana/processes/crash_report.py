"""The facts about a death; what a Python worker said of it is read strictly: any program may have written there."""

from typing import Any

import msgspec

from kortana.core.verdict import Death
from kortana.ports import ProcessExit
from kortana.processes.evidence import EXCEPTION_MARK

ACTOR_DIED = "its actor died: "
"""So begins why a worker was ended whose actor had died."""


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


def death_of(how: ProcessExit, failing: str, unready: str, is_quota: bool) -> Death:
    """failing: why Kortana itself ended it, if it did. unready: see Death."""
    exception, stacks = split_report(how.report)
    by_actor = failing if failing.startswith(ACTOR_DIED) else ""
    return Death(
        how.code, how.signal, "" if by_actor else failing, unready, "", exception, stacks, how.oom_kills,
        how.oom_evidence, is_quota, False, by_actor,
    )  # fmt: skip
