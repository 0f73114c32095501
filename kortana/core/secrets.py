"""Masks secrets in text that is kept: by the name before them, and by their shape."""

import re
from typing import Any

MASK = "***"
_SECRET_NAME = re.compile(r"(?i)(pass(word|wd|phrase)?|secret|token|api[_-]?key|private[_-]?key|credential|auth)")
_NAMED = re.compile(
    r"(?i)\b([\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key|credentials?))"
    r"(['\"]?\s*[=:]\s*['\"]?)([^\s'\",;&]{3,})"
)
_SHAPES = (
    re.compile(r"\b(sk|pk|rk)-[A-Za-z0-9_-]{16,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}"),
    re.compile(r"\bgithub_pat_[A-Za-z0-9_]{20,}"),
    re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    re.compile(r"\bAKIA[0-9A-Z]{16}\b"),
    re.compile(r"\bAIza[0-9A-Za-z_-]{30,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL),
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}")
_IN_URL = re.compile(r"(\w+://[^\s:/@]+:)[^\s@/]+@")


def is_secret_name(name: str) -> bool:
    """Whether a variable of that name is likely to hold a secret."""
    return _SECRET_NAME.search(name) is not None


class Masker:
    """known: values that must never be kept, whatever they look like."""

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        self._known = sorted((value for value in known if len(value) >= 4), key=len, reverse=True)

    def text(self, text: str) -> str:
        for value in self._known:
            text = text.replace(value, MASK)
        text = _NAMED.sub(lambda m: f"{m[1]}{m[2]}{MASK}", text)
        text = _IN_URL.sub(lambda m: f"{m[1]}{MASK}@", text)
        text = _BEARER.sub(lambda m: f"{m[1]} {MASK}", text)
        for shape in _SHAPES:
            text = shape.sub(MASK, text)
        return text

    def value(self, value: Any) -> Any:
        """Masks every string in a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value
