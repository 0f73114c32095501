"""Whether what an agent has changed is covered by the lease it holds."""

import os

from kortana.agent.interface import AgentInterface
from kortana.agent.worktree import Worktree
from kortana.protocol.coverage import objection

MOST_TOLD = 5


def objections(agent: AgentInterface, tree: Worktree) -> str:
    """What is changed there that no lease of the agent's covers, and whose it is; empty where all is well, or nobody
    guards. What lies outside the project is nobody's. Raises GitError."""
    root = agent.welcome.get("root")
    if not root or agent.welcome.get("guard", "off") == "off":
        return ""
    top, root = os.path.realpath(tree.top), os.path.realpath(root)
    names = [os.path.relpath(os.path.join(top, path), root) for path in tree.changed()]
    found = agent.coverage([name for name in names if not name.startswith(os.pardir + os.sep)])
    wrong = [each.fact for path, whose in found.items() if (each := objection(path, whose, agent.name)) is not None]
    more = f"; and {len(wrong) - MOST_TOLD} more" if len(wrong) > MOST_TOLD else ""
    return "; ".join(wrong[:MOST_TOLD]) + more
