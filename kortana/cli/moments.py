"""A place in the journal, as people give it: a seq, a time, or how long ago."""

import time
from datetime import UTC, datetime

from kortana.cli.errors import USAGE, CliError
from kortana.config.units import seconds_of
from kortana.protocol.timestamps import iso_from_ms


def moment(option: str, text: str | None) -> tuple[int | None, str | None]:
    """A seq, or a time as the journal writes it. Raises CliError, which names the option.

    A time without a zone is local, as with docker and journalctl; `10m` is ten minutes ago.
    """
    if text is None:
        return None, None
    if text.isdecimal() and text.isascii():
        return int(text), None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            return None, iso_from_ms(int((time.time() - seconds_of(text)) * 1000))
        except ValueError:
            why = f"{text!r}: a seq, a time like 2026-11-23T02:43:01Z, or how long ago, like 10m, is needed"
            raise CliError(USAGE, "usage", f"{option}: {why}") from None
    try:
        return None, iso_from_ms(int(at.astimezone(UTC).timestamp() * 1000))
    except (OverflowError, ValueError, OSError):
        raise CliError(USAGE, "usage", f"{option}: {text!r} is no time that there was") from None
