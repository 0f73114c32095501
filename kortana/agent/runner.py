"""Runs a Python worker: imports its entrypoint and calls it with a connected AgentInterface."""

import importlib
import os
import sys

import kortana.agent.shell  # noqa: F401  loaded before the fork, so that workers start warm
from kortana.agent.interface import AgentInterface


def run_entrypoint(entrypoint: str) -> None:
    """Calls `module:callable` as `callable(agent)`; a person's modules are found from the working directory first."""
    module, _, name = entrypoint.partition(":")
    if not module.startswith("kortana."):
        sys.path.insert(0, os.getcwd())
    target = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    with AgentInterface() as agent:
        target(agent)  # type: ignore[operator]
