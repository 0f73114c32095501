"""Errors that end a command: an exit code, a message, and what to do."""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


DONE, FAILED, USAGE, NOT_RUNNING, REFUSED, TIMED_OUT, ALREADY_RUNNING, DAMAGED = range(8)
INTERRUPTED, NOBODY_READS = 130, 141
"""As a shell says it of who ends by SIGINT, and by SIGPIPE."""


class CliError(Exception):
    """Ends a command with `exit_code` (CONTRACT section 2)."""

    def __init__(self, exit_code: int, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.exit_code, self.code, self.message, self.hint = exit_code, code, message, hint
        self.result: Any = None
        """What a refusal carried along."""

    def as_json(self) -> dict[str, dict[str, str]]:
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class NobodyReads(Exception):
    """What is printed goes nowhere any more. Not an OSError, of which click makes an end of its own."""


def not_running() -> CliError:
    return CliError(NOT_RUNNING, "not_running", "Kortana is not running here", "start it with `kortana up`")


def show(error: CliError, as_json: bool, program: str = "kortana") -> int:
    """Tells of it on stderr; gives its exit code."""
    if as_json:
        print(json.dumps(error.as_json()), file=sys.stderr)
    else:
        from kortana.protocol.legible import legible_lines  # most commands have nothing of the kind to say

        hint = f"\n  {error.hint}" if error.hint else ""
        print(legible_lines(f"{program}: {error.message}{hint}"), file=sys.stderr)
    return error.exit_code


def ending(command: Callable[[], int], as_json: bool, program: str = "kortana") -> int:
    """Runs a command until what it has printed is out; gives its exit code. What ends it is told on stderr."""
    try:
        code = command()
        _flush()
        return code
    except CliError as error:
        return show(error, as_json, program)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, NobodyReads):
        _let_go_of_stdout()
        return NOBODY_READS
    except OSError as error:
        _let_go_of_stdout()
        place = f"{error.filename}: " if error.filename is not None else ""
        return show(CliError(FAILED, "os_error", f"{place}{error.strerror or error}"), as_json, program)


def _flush() -> None:
    """Raises OSError that says of what."""
    try:
        sys.stdout.flush()
    except OSError as error:
        error.filename = "stdout"
        raise


def _let_go_of_stdout() -> None:
    """What it does not take is nothing for the interpreter's end to stumble over."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
