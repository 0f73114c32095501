"""Who speaks, where a worker's command-line agent starts us without its environment.

codex and Gemini CLI hand down to an MCP server only the variables that they know, and other agents keep from their
commands whatever looks like a secret. The worker in whose tree we are is known by the environment of our ancestors.
"""

import os

from kortana.processes.ancestors import environments

PREFIX = "KORTANA_"


def take_after_worker() -> None:
    """Completes an environment without a token by what the worker was given; not where it has been told otherwise,
    nor where another Kortana runs in this folder."""
    above = next((found for found in environments() if "KORTANA_TOKEN" in found), None)
    if above is None:
        return
    ours = {name: value for name, value in above.items() if name.startswith(PREFIX)}
    if all(os.environ.get(name, value) == value for name, value in ours.items()) and not _runs_another(ours):
        os.environ.update(ours)


def _runs_another(ours: dict[str, str]) -> bool:
    from pathlib import Path

    from kortana.config.whereabouts import data_dir_above
    from kortana.transport.endpoint import find_socket

    here = find_socket(data_dir_above(Path.cwd()) / "run")
    return here is not None and os.path.realpath(here) != os.path.realpath(ours.get("KORTANA_SOCKET", ""))
