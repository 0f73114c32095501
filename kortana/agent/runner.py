"""Runs a Python worker: imports its entrypoint and calls it with a connected AgentInterface."""

import importlib
import os
import sys

import kortana.agent.shell  # noqa: F401  loaded before the fork, so that workers start warm
from kortana.agent.interface import AgentInterface


def _python_path() -> list[str]:
    """What the worker's own environment adds; this interpreter began with another one."""
    folders = [os.path.abspath(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return [folder for folder in folders if folder not in sys.path]


def run_entrypoint(entrypoint: str) -> None:
    """Calls `module:callable` as `callable(agent)`; a person's modules are found from the working directory first, then
    from the worker's PYTHONPATH."""
    module, _, name = entrypoint.partition(":")
    if not module.startswith("kortana."):
        sys.path[:0] = [os.getcwd(), *_python_path()]
    target = importlib.import_module(module)
    for part in name.split("."):
        target = getattr(target, part)
    with AgentInterface() as agent:
        target(agent)  # type: ignore[operator]
