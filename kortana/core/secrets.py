"""Masks secrets in text that is kept: by the name before them, and by their shape."""

import re
from typing import Any

from kortana.protocol.codec import encode_json

MASK = "***"
_SECRET_NAME = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token|api[_-]?key|private[_-]?key|credential|auth)")
_Rule = tuple[tuple[str, ...], re.Pattern[str], str]
_RULES: tuple[_Rule, ...] = (
    (
        ("passw", "passphrase", "secret", "token", "api", "private", "credential"),
        re.compile(
            r"(?i)\b([\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?))"
            r"(['\"]?\s*[=:]\s*['\"]?)([^\s'\",;&]{3,})"
        ),
        rf"\1\2{MASK}",
    ),
    (("://",), re.compile(r"(\w+://[^\s:/@]+:)[^\s@/]+@"), rf"\1{MASK}@"),
    (("bearer", "basic"), re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {MASK}"),
    (("sk-", "pk-", "rk-"), re.compile(r"\b(sk|pk|rk)-[A-Za-z0-9_-]{16,}"), MASK),
    (("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"), MASK),
    (("github_pat_",), re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,}"), MASK),
    (("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"), MASK),
    (("akia",), re.compile(r"\bAKIA[0-9A-Z]{16}\b"), MASK),
    (("aiza",), re.compile(r"\bAIza[0-9A-Za-z_-]{30,}"), MASK),
    (("eyj",), re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"), MASK),
    (
        ("private key",),
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
        MASK,
    ),
)
"""(hints, pattern, what stands for it): the pattern cannot match where none of its hints is in the lower-case text."""


def _rules_for(text: str) -> list[_Rule]:
    """The rules that may apply, each with the hints that are there."""
    low = text.lower()
    found = [(tuple(hint for hint in hints if hint in low), pattern, mask) for hints, pattern, mask in _RULES]
    return [rule for rule in found if rule[0]]


def is_secret_name(name: str) -> bool:
    """Whether a variable of that name is likely to hold a secret."""
    return _SECRET_NAME.search(name) is not None


class Masker:
    """known: values that must never be kept, whatever they look like."""

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        self._known = sorted((value for value in known if len(value) >= 4), key=len, reverse=True)

    def text(self, text: str) -> str:
        return self._masked(text, _rules_for(text))

    def value(self, value: Any) -> Any:
        """Masks every string in a JSON value; what no string of it can hold is looked for once, not in each."""
        return self._value(value, _rules_for(encode_json(value).decode()))

    def _masked(self, text: str, rules: list[_Rule]) -> str:
        for known in self._known:
            text = text.replace(known, MASK)
        low = text.lower()
        for hints, pattern, stand_in in rules:
            for hint in hints:
                if hint in low:
                    text = pattern.sub(stand_in, text)
                    break
        return text

    def _value(self, value: Any, rules: list[_Rule]) -> Any:
        if isinstance(value, str):
            return self._masked(value, rules)
        if isinstance(value, dict):
            return {key: self._value(item, rules) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item, rules) for item in value]
        return value
