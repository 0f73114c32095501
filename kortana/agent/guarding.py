"""Whether what an agent has changed is covered by the lease it holds."""

import os
from pathlib import Path

from kortana.agent.interface import AgentInterface
from kortana.protocol.coverage import objection

MOST_TOLD = 5


def objections(agent: AgentInterface, top: Path, changed: list[str]) -> str:
    """What no lease of the agent's covers, and whose it is; empty where all is well, or nobody guards. changed: paths
    from `top`, the repository's folder; what lies outside the project is nobody's."""
    root = agent.welcome.get("root")
    if not root or agent.welcome.get("guard", "off") == "off":
        return ""
    names = [os.path.relpath(os.path.join(os.path.realpath(top), path), os.path.realpath(root)) for path in changed]
    found = agent.coverage([name for name in names if not name.startswith(os.pardir + os.sep)])
    wrong = [each.fact for path, whose in found.items() if (each := objection(path, whose, agent.name)) is not None]
    more = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
    return "; ".join(wrong[:MOST_TOLD]) + more
