"""Names of workers, agents and tasks, and the shapes that a name may have."""

import re

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
RESERVED_NAMES = frozenset({"coordinator", "supervisor", "operator", "all"})
_NAME = re.compile(NAME_PATTERN)


def is_name(text: object) -> bool:
    """True for a string that may name a worker, an agent or a task (1 to 64 characters)."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def is_agent_name(text: object) -> bool:
    """True for a name that an agent may carry: a name, and not a reserved one."""
    return is_name(text) and text not in RESERVED_NAMES
