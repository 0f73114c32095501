"""Where the `kortana` command begins. `kortana agent` and `kortana mcp` take short cuts that load next to nothing."""

import sys


def main() -> None:
    """Runs the command line and exits with its code."""
    if len(sys.argv) > 1 and sys.argv[1] == "agent":
        from kortana.cli.agent import agent_main

        sys.exit(agent_main(sys.argv[2:]))
    if len(sys.argv) > 1 and sys.argv[1] == "mcp":
        from kortana.mcp.server import main as mcp_main

        sys.exit(mcp_main(sys.argv[2:]))
    if len(sys.argv) > 1 and sys.argv[1] == "guard":
        from kortana.cli.guard import guard_main

        sys.exit(guard_main(sys.argv[2:]))
    from kortana.cli.app import run

    sys.exit(run())
