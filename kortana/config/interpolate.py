"""`${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `$$` in string values."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)\}")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:(:-|:\?)(.*))?", re.DOTALL)


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """The text with its references filled in; an unset variable without a default is empty, as in a shell.

    Raises ValueError for a reference that is not of one of the four forms, and for `:?` of an unset one.
    """
    end = text.rfind("}") + 1  # beyond it none ends, which each of many would look for
    plain = text[end:].replace("$$", "$")
    return _REFERENCE.sub(lambda match: _resolve(match, environment), text[:end]) + plain


def _resolve(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match[0] == "$$":
        return "$"
    parts = _NAME.fullmatch(match[1])
    if parts is None:
        raise ValueError(f"{match[0]}: not ${{VAR}}, ${{VAR:-default}} or ${{VAR:?message}} ($$ for a plain $)")
    name, form, rest = parts.groups()
    value = environment.get(name, "")
    if form and not value:
        if form == ":?":
            raise ValueError(f"${{{name}}} is needed: {rest or 'it is not set'}")
        return rest
    return value
