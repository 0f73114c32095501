"""Masks secrets in text that is kept: by the name before them, and by their shape.

Every rule is linear in the text, whatever that is: a search holds the interpreter's lock, and all of Kortana waits.
Without possessive quantifiers: Python 3.11.2, which Debian 12 has, finds less with them than there is.
"""

import re
from collections.abc import Iterator
from typing import Any

MASK = "***"
_SECRET_NAME = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token|api[_-]?key|private[_-]?key|credential|auth)")
_Rule = tuple[tuple[str, ...], re.Pattern[str], str]
_RULES: tuple[_Rule, ...] = (
    (
        ("passw", "passphrase", "secret", "token", "api", "private", "access", "credential"),
        re.compile(
            r"(?i)((?:password|passwd|passphrase|secret|token|(?:api|private|access|secret)[_-]?key|credentials?)"
            r"['\"]?\s*[=:]\s*['\"]?)[^\s'\",;&]{3,}"
        ),
        rf"\1{MASK}",
    ),
    (("://",), re.compile(r"(?<=\w)(://[^\s:/@]+:)[^\s@/]+@"), rf"\1{MASK}@"),
    (("bearer", "basic"), re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {MASK}"),
    (("sk-", "pk-", "rk-"), re.compile(r"\b(sk|pk|rk)-[A-Za-z0-9_-]{16,}"), MASK),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"), MASK),
    (("github_pat_",), re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,}"), MASK),
    (("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"), MASK),
    (("akia",), re.compile(r"\bAKIA[0-9A-Z]{16}\b"), MASK),
    (("aiza",), re.compile(r"\bAIza[0-9A-Za-z_-]{30,}"), MASK),
    (
        ("eyj",),
        re.compile(
            r"(?<![A-Za-z0-9_-])((?:(?!\beyJ)[A-Za-z0-9_-])*)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"
        ),
        rf"\1{MASK}",
    ),
    (
        ("private key",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
        MASK,
    ),
)
"""(hints, pattern, what stands for it): the pattern cannot match where none of its hints is in the lower-case text."""


def _rules_for(texts: list[str]) -> list[_Rule]:
    """The rules that apply to one of the texts; a pattern is slow, so only a text with a hint is searched."""
    lows = [text.lower() for text in texts]
    everything = "\n".join(lows)
    found = []
    for hints, pattern, stand_in in _RULES:
        here = [hint for hint in hints if hint in everything]
        if any(hint in low and pattern.search(text) for text, low in zip(texts, lows, strict=True) for hint in here):
            found.append((hints, pattern, stand_in))
    return found


def _strings_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings_of(item)


def is_secret_name(name: str) -> bool:
    """Whether a variable of that name is likely to hold a secret."""
    return _SECRET_NAME.search(name) is not None


LEAST_CHARS, LEAST_OF_LINE = 4, 8
"""Of a value that is looked for, and of a line of one: shorter ones stand everywhere."""


class Masker:
    """known: values that must never be kept, whatever they look like; of one with several lines, none of them."""

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        values = {value for value in known if len(value) >= LEAST_CHARS}
        lines = {line.strip() for value in values if "\n" in value for line in value.splitlines()}
        values |= {line for line in lines if len(line) >= LEAST_OF_LINE}
        self._known = sorted(values, key=lambda value: (-len(value), value))

    def text(self, text: str) -> str:
        return _masked(text, self._known, _rules_for([text]))

    def value(self, value: Any) -> Any:
        """Masks every string in a JSON value; where nothing is to be masked, that is the value itself."""
        texts = list(_strings_of(value))
        known, rules = [secret for secret in self._known if any(secret in text for text in texts)], _rules_for(texts)
        return _rebuilt(value, known, rules) if known or rules else value


def _masked(text: str, known: list[str], rules: list[_Rule]) -> str:
    for secret in known:
        text = text.replace(secret, MASK)
    for _, pattern, stand_in in rules:
        text = pattern.sub(stand_in, text)
    return text


def _rebuilt(value: Any, known: list[str], rules: list[_Rule]) -> Any:
    if isinstance(value, str):
        return _masked(value, known, rules)
    if isinstance(value, dict):
        return {key: _rebuilt(item, known, rules) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rebuilt(item, known, rules) for item in value]
    return value
