"""What a Python worker says of its own end, on a pipe of its own: exceptions as JSON, stacks by faulthandler.

Runs in the worker; loads the standard library's traceback only when there is something to tell.
"""

import faulthandler
import json
import os
import signal
from typing import Any

CRASH_FD = 4
STACKS_SIGNAL = signal.SIGUSR2
"""Asks a Python worker for the stacks of all its threads."""
EXCEPTION_MARK = '{"kortana_exception":'
MAX_FRAMES = 60
MAX_TEXT = 2_000
MAX_CHAIN = 8
MAX_GROUP = 16
_stream: Any = None


def watch_over(fd: int = CRASH_FD) -> None:
    """Fatal signals, and the request for stacks, are answered on the pipe from now on."""
    global _stream
    _stream = os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    faulthandler.enable(_stream, all_threads=True)
    faulthandler.register(STACKS_SIGNAL, _stream, all_threads=True, chain=False)


def report(error: BaseException) -> None:
    """Sends an exception, with its chain, groups, notes and frames."""
    try:
        text = EXCEPTION_MARK + json.dumps(describe(error)) + "}\n"
        os.write(CRASH_FD, text.encode("utf-8", "replace")[: 60 * 1024])
    except (OSError, ValueError, RecursionError):
        pass


def _text_of(said: object) -> str:
    try:
        return str(said)[:MAX_TEXT]
    except Exception as broken:
        return f"({type(broken).__name__} in its own __str__)"


def describe(error: BaseException, depth: int = 0) -> dict[str, Any]:
    """`{"type", "message", "notes", "frames", "cause", "context", "group"}`.

    A frame: `{"file", "line", "function", "text"}`.
    """
    import traceback

    frames = [
        {"file": f.filename, "line": f.lineno, "function": f.name, "text": (f.line or "")[:200]}
        for f in traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    ]
    kind = type(error)
    plain = kind.__module__ in ("builtins", "__main__")
    name = kind.__qualname__ if plain else f"{kind.__module__}.{kind.__qualname__}"
    found: dict[str, Any] = {"type": name, "message": _text_of(error), "frames": frames}
    notes = getattr(error, "__notes__", None)
    if notes:
        found["notes"] = [_text_of(note) for note in notes[:10]]
    if depth < MAX_CHAIN:
        if error.__cause__ is not None:
            found["cause"] = describe(error.__cause__, depth + 1)
        elif error.__context__ is not None and not error.__suppress_context__:
            found["context"] = describe(error.__context__, depth + 1)
        if isinstance(error, BaseExceptionGroup):
            found["group"] = [describe(each, depth + 1) for each in error.exceptions[:MAX_GROUP]]
    return found
