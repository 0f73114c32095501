"""`kortana down`: ends the tree, and returns when nothing of it is left."""

import contextlib
import sys
import time
from pathlib import Path

import click

from kortana.cli.common import Project, file_option, json_option, print_json, timeout_option
from kortana.cli.errors import NOT_RUNNING, TIMED_OUT, CliError
from kortana.processes.watched import Watched

LOOK_EVERY_S = 0.05
NOTICED_S = 30.0
"""A supervisor notices within seconds that its data folder is gone; its workers may take their grace."""


@click.command()
@file_option
@json_option
@timeout_option
def down(file: Path | None, as_json: bool, timeout: float) -> int:
    """Stop the workers in reverse start order and end."""
    project = Project(file)
    pid = project.holder()
    if pid is None and (stranded := project.stranded()) is not None:
        return _wait_for(stranded, timeout, as_json)
    if pid is None:
        _say(as_json, "not running", False)
        if other := project.elsewhere():
            print(f"kortana: {other}", file=sys.stderr)
        return 0
    deadline = time.monotonic() + timeout
    supervisor = Watched.of(pid)
    try:
        project.call("down", timeout_s=timeout)
    except CliError as error:
        if error.exit_code != NOT_RUNNING:
            raise
        if supervisor is not None and project.holder() == pid:
            supervisor.terminate()  # it is just starting, or its socket does not answer
        elif supervisor is None and project.holder() is not None:
            raise _out_of_reach() from None
    if not _ended(project, pid, supervisor, deadline):
        raise _still_stopping(timeout)
    _say(as_json, "stopped", True)
    return 0


def _wait_for(stranded: int, timeout: float, as_json: bool) -> int:
    """For one that ends by itself, as its data folder is gone; that is asked of it only where it does not."""
    if (supervisor := Watched.of(stranded)) is not None:
        with contextlib.closing(supervisor):
            if not supervisor.ended(min(timeout, NOTICED_S)):
                supervisor.terminate()
                if not supervisor.ended(timeout - NOTICED_S):
                    raise _still_stopping(timeout)
    _say(as_json, "stopped", True)
    return 0


def _still_stopping(timeout: float) -> CliError:
    return CliError(TIMED_OUT, "timed_out", f"still stopping after {timeout:g} s", "`kortana ps` shows what is left")


def _out_of_reach() -> CliError:
    """Of one whose socket does not answer, and whose process has no name here."""
    return CliError(
        TIMED_OUT, "timed_out", "Kortana runs, but does not answer, and its process cannot be reached from here",
        "try again; if it runs in a container, end it there",
    )  # fmt: skip


def _ended(project: Project, pid: int, supervisor: Watched | None, deadline: float) -> bool:
    """Waits for the end of the supervisor; whether it came in time. Where the system has no handle for a process, it is
    gone when nobody holds its lock any more."""
    if supervisor is not None:
        try:
            return supervisor.ended(deadline - time.monotonic())
        finally:
            supervisor.close()
    while project.holder() == pid:
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def _say(as_json: bool, text: str, stopped: bool) -> None:
    if as_json:
        print_json({"stopped": stopped, "running": False})
    else:
        print(text)


COMMANDS = {"down": down}
