"""Kortana: a supervisor and coordinator for a team of coding agents. Imports nothing until it is asked to."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
"""`typing` takes longer to load than all that `kortana agent` does."""
if TYPE_CHECKING:
    from typing import Any

    from kortana.agent.interface import AgentInterface, ClaimDenied, KortanaUnavailable

__version__ = "0.1.0"
__all__ = ["AgentInterface", "ClaimDenied", "KortanaUnavailable", "__version__"]


def why_not_here() -> tuple[str, str]:
    """Why Kortana does not run on this system, and what to do; empty where it does."""
    if sys.platform == "linux":
        return "", ""
    if sys.platform in ("win32", "cygwin"):
        return "Kortana does not run on Windows itself yet", "run it in WSL 2: see `On Windows` in the README"
    return f"Kortana does not run on {sys.platform} yet, only on Linux", "run it in a virtual machine or a container"


def __getattr__(name: str) -> Any:
    if name in ("AgentInterface", "ClaimDenied", "KortanaUnavailable"):
        if any(why_not_here()):
            raise ImportError("; ".join(why_not_here()))
        from kortana.agent import interface

        return getattr(interface, name)
    raise AttributeError(f"module 'kortana' has no attribute {name!r}")
