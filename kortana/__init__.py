"""Kortana: a supervisor and coordinator for a team of coding agents. Imports nothing until it is asked to."""

from __future__ import annotations

TYPE_CHECKING = False
"""`typing` takes longer to load than all that `kortana agent` does."""
if TYPE_CHECKING:
    from typing import Any

    from kortana.agent.interface import AgentInterface, ClaimDenied, KortanaUnavailable

__version__ = "0.1.0"
__all__ = ["AgentInterface", "ClaimDenied", "KortanaUnavailable", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("AgentInterface", "ClaimDenied", "KortanaUnavailable"):
        from kortana.agent import interface

        return getattr(interface, name)
    raise AttributeError(f"module 'kortana' has no attribute {name!r}")
