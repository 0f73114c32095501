"""Which deaths are the same: a versioned fingerprint of how, and where in the worker's own code."""

import re
from typing import Any
from zlib import crc32

VERSION = 1
MAX_FRAMES = 12
_LIBRARY = re.compile(
    r"[\\/](site-packages|dist-packages|lib[\\/]python\d[^\\/]*|kortana[\\/](agent|processes|transport))[\\/]"
)
_ERROR_LIKE = re.compile(r"(?i)error|exception|fatal|panic|fail|abort|cannot|denied|not found|no such|refused")
_VARIABLE = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0xN"),
    (re.compile(r"\b[0-9a-fA-F]{8,}\b"), "H"),
    (re.compile(r"(['\"]).*?\1"), "'S'"),
    (re.compile(r"(/[^\s:/]+)+"), "/P"),
    (re.compile(r"\d+"), "N"),
)


def normalise(line: str) -> str:
    """A line without what differs from one time to the next: numbers, addresses, paths, quoted words."""
    for pattern, stand_in in _VARIABLE:
        line = pattern.sub(stand_in, line)
    return line.strip()[:200]


def last_error_line(lines: list[str]) -> str:
    """The last line that looks like an error, else the last that is not empty."""
    filled = [line for line in lines if line.strip()]
    return next((line for line in reversed(filled) if _ERROR_LIKE.search(line)), filled[-1] if filled else "")


def _types(exception: dict[str, Any]) -> list[str]:
    found = [str(exception["type"])]
    for each in exception.get("group", ()):
        found += _types(each)
    inner = exception.get("cause") or exception.get("context")
    return found + (_types(inner) if inner else [])


def _own_frames(exception: dict[str, Any]) -> list[str]:
    """`module file:function` of the worker's own frames, innermost first; all frames where none is its own."""
    frames = exception["frames"]
    own = [frame for frame in frames if not _LIBRARY.search(frame["file"])] or frames
    return [f"{_base(frame['file'])}:{frame['function']}" for frame in reversed(own)][:MAX_FRAMES]


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


_STACK_FRAME = re.compile(r'^  File "([^"]+)", line \d+ in (.+)$', re.MULTILINE)


def fingerprint_of(kind: str, how: str, exception: dict[str, Any] | None, stacks: str, lines: list[str]) -> str:
    """`v1-xxxxxxxx`. kind: the verdict's. how: the exit code or signal. lines: the end of its output."""
    parts = [kind, how]
    if exception is not None:
        parts += _types(exception) + _own_frames(exception)
    elif stacks:
        own = [(file, name) for file, name in _STACK_FRAME.findall(stacks) if not _LIBRARY.search(file)]
        parts += [f"{_base(file)}:{name}" for file, name in own[:MAX_FRAMES]]
    elif kind not in ("killed", "launcher_died", "quota"):
        parts.append(normalise(last_error_line(lines)))
    return f"v{VERSION}-{crc32(chr(0).join(parts).encode()):08x}"
