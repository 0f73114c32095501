"""Errors that end a command: an exit code, a message, and what to do."""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


DONE, FAILED, USAGE, NOT_RUNNING, REFUSED, TIMED_OUT, ALREADY_RUNNING, DAMAGED = range(8)


class CliError(Exception):
    """Ends a command with `exit_code` (CONTRACT section 2)."""

    def __init__(self, exit_code: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code, self.code, self.message, self.hint = exit_code, code, message, hint
        self.result: Any = None
        """What a refusal carried along."""

    def as_json(self) -> dict[str, dict[str, str]]:
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


def not_running() -> CliError:
    return CliError(NOT_RUNNING, "not_running", "Kortana is not running here", "start it with `kortana up`")


def show(error: CliError, as_json: bool, program: str = "kortana") -> int:
    """Tells of it on stderr; gives its exit code."""
    if as_json:
        print(json.dumps(error.as_json()), file=sys.stderr)
    else:
        print(f"{program}: {error.message}" + (f"\n  {error.hint}" if error.hint else ""), file=sys.stderr)
    return error.exit_code
