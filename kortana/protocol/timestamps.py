"""UTC ISO-8601 with milliseconds and `Z`, to and from whole milliseconds since the epoch. Reads no clock."""

from functools import lru_cache

_MS_PER_DAY = 86_400_000


def _civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day of a day count since 1970-01-01.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    days += 719_468
    era = days // 146_097
    doe = days - era * 146_097
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    return yoe + era * 400 + (month <= 2), month, doy - (153 * mp + 2) // 5 + 1


def _days_from_civil(year: int, month: int, day: int) -> int:
    year -= month <= 2
    era = year // 400
    yoe = year - era * 400
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return era * 146_097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719_468


@lru_cache(maxsize=64)
def _second_text(second: int) -> str:
    days, rest = divmod(second, 86_400)
    year, month, day = _civil_from_days(days)
    return f"{year:04d}-{month:02d}-{day:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"


def iso_from_ms(ms: int) -> str:
    """`2026-11-23T02:43:01.250Z` for whole milliseconds since the epoch (years 1 to 9999)."""
    second, milli = divmod(ms, 1000)
    return f"{_second_text(second)}.{milli:03d}Z"


def ms_from_iso(text: str) -> int:
    """Milliseconds since the epoch of `YYYY-MM-DDTHH:MM:SS[.mmm]Z`. Raises ValueError for anything else."""
    if len(text) < 20 or text[-1] != "Z" or text[4] + text[7] + text[10] + text[13] + text[16] != "--T::":
        raise ValueError(f"not a UTC time like 2026-11-23T02:43:01.250Z: {text!r}")
    days = _days_from_civil(int(text[:4]), int(text[5:7]), int(text[8:10]))
    ms = int((text[20:-1] + "000")[:3]) if text[19] == "." else 0
    clock_s = int(text[11:13]) * 3600 + int(text[14:16]) * 60 + int(text[17:19])
    return days * _MS_PER_DAY + clock_s * 1000 + ms
