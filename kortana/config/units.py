"""Durations and sizes as people write them."""

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)")
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def seconds_of(value: object) -> float:
    """Seconds of `500ms`, `30s`, `2m`, `1h` or a number. Raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    else:
        match = _DURATION.fullmatch(str(value).strip())
        if match is None:
            raise ValueError("a duration is needed, such as 500ms, 30s, 2m, 1h or a number of seconds")
        found = float(match[1]) * _SECONDS[match[2]]
    if not 0 <= found <= 366 * 86_400:
        raise ValueError("a duration from 0 to 366 days is needed")
    return found


def bytes_of(value: object) -> int:
    """Bytes of `10MiB`, `2GiB` or a number. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        raise ValueError("a size is needed, such as 10MiB, 2GiB or a number of bytes")
    return int(float(match[1]) * _BYTES[match[2]])


def duration_text(seconds: float) -> str:
    """As a person would write it: `500ms`, `30s`, `5m`, `1h`."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms" if seconds else "0s"
    if seconds >= 3600 and not seconds % 3600:
        return f"{seconds / 3600:g}h"
    return f"{seconds / 60:g}m" if seconds > 60 and not seconds % 60 else f"{seconds:g}s"


def size_text(count: int) -> str:
    """As a person would write it: `10MiB`."""
    unit = next(unit for unit in ("GiB", "MiB", "KiB", "B") if count >= _BYTES[unit] and not count % _BYTES[unit])
    return f"{count // _BYTES[unit]}{unit}"
