"""`kortana down`: ends the tree, and returns when nothing of it is left."""

import contextlib
import os
import select
import signal
import time
from pathlib import Path

import click

from kortana.cli.common import Project, file_option, json_option, print_json, timeout_option
from kortana.cli.errors import NOT_RUNNING, TIMED_OUT, CliError


@click.command()
@file_option
@json_option
@timeout_option
def down(file: Path | None, as_json: bool, timeout: float) -> int:
    """Stop the workers in reverse start order and end."""
    project = Project(file)
    pid = project.holder()
    if pid is None:
        _say(as_json, "not running", False)
        return 0
    deadline = time.monotonic() + timeout
    watched = _open_pidfd(pid)
    try:
        project.call("down", timeout_s=timeout)
    except CliError as error:
        if error.exit_code != NOT_RUNNING:
            raise
        _terminate(watched)  # it is just starting, or its socket does not answer
    if watched is not None:
        ready, _, _ = select.select([watched], [], [], max(deadline - time.monotonic(), 0))
        os.close(watched)
        if not ready:
            raise CliError(
                TIMED_OUT, "timed_out", f"still stopping after {timeout:g} s", "`kortana ps` shows what is left"
            )
    _say(as_json, "stopped", True)
    return 0


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _terminate(pidfd: int | None) -> None:
    """A signal asks for the same; it goes to that very process, or to none."""
    if pidfd is not None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)


def _say(as_json: bool, text: str, stopped: bool) -> None:
    if as_json:
        print_json({"stopped": stopped, "running": False})
    else:
        print(text)


COMMANDS = {"down": down}
