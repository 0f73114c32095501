"""`kortana agent run [TASK] -- COMMAND`: a command under a lease that is renewed while it lives."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kortana.agent.answers import Task
from kortana.agent.interface import AgentInterface, KortanaUnavailable, Refused
from kortana.agent.mailbox import QUOTA_EXIT_CODE, give_back_blocked
from kortana.cli.errors import REFUSED, USAGE, CliError, not_running
from kortana.cli.finding import find_file
from kortana.processes.foreground import wait_passing_on
from kortana.transport.inside import token_for
from kortana.transport.waker import Waker

CANNOT_RUN = 127


class Wanted(NamedTuple):
    """Which task, or None for the next one (in which one of `having` says what is to be done)."""

    task: str | None
    wait_s: float
    ttl_s: float | None
    having: Sequence[str]


def run_task(name: str, wanted: Wanted, words: list[str], file: str | None) -> int:
    """Claims, runs, and completes or fails by the command's exit code, which it gives. Raises CliError."""
    if not words:
        raise CliError(USAGE, "usage", "which command? run [TASK] -- COMMAND")
    root = find_file(Path(file)) if file else None
    inside = os.environ.get("KORTANA_SOCKET") and root is None
    agent = AgentInterface(
        name, None if inside else root or os.getcwd(), tie_leases=True, receive=False, patience_s=10.0
    )
    try:
        with agent:
            return _run(agent, wanted, words)
    except KortanaUnavailable:
        raise not_running() from None
    except Refused as error:
        raise CliError(REFUSED, error.reason, f"refused: {error}") from None


def _run(agent: AgentInterface, wanted: Wanted, words: list[str]) -> int:
    answer = agent.claim_task(wanted.task, ttl=wanted.ttl_s, wait=wanted.wait_s, having=wanted.having)
    if not answer:
        detail = f" ({answer.detail})" if answer.detail else ""
        raise CliError(REFUSED, answer.reason, f"refused: {answer.reason}{detail}")
    task = Task(answer, agent)
    with agent.renewing(task):
        code = _command(words, task, _environment(agent, task))
    if task.lost:
        _say("the lease was lost; nothing is reported")
    elif code == QUOTA_EXIT_CODE:
        agent.release_task(task.id)
    elif code != 0 or give_back_blocked(agent, task, _say) is None:
        status = "completed" if code == 0 else "failed"
        agent.update_task_status(task.id, status, f"exit code {code}", result={"exit_code": code, "command": words})
    return code


def _say(text: str) -> None:
    print(f"kortana agent run: {text}", file=sys.stderr)


def _environment(agent: AgentInterface, task: Task) -> dict[str, str]:
    """What the command finds: `kortana agent` in it speaks as the same agent, to the same Kortana."""
    found = {**os.environ, "KORTANA_TASK": task.id, "KORTANA_LEASE": str(task.token), "KORTANA_AGENT": agent.name}
    socket = agent.socket
    if socket is not None:
        if token_for(agent.name, socket) is None:
            found.pop("KORTANA_TOKEN", None)  # another agent's, or another Kortana's
        found["KORTANA_SOCKET"] = socket
    return found


def _command(words: list[str], task: Task, environment: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(words, env=environment)
    except OSError as error:
        _say(f"cannot run {words[0]}: {error.strerror}")
        return CANNOT_RUN

    task.when_lost(process.terminate)
    return wait_passing_on(process, Waker())
