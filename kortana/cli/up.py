"""`kortana up`: starts the tree, in the foreground or detached."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from kortana.cli.app import colour_wanted
from kortana.cli.common import Project, file_option, json_option, print_json, seconds, told_of, told_of_stranded
from kortana.cli.errors import ALREADY_RUNNING, DAMAGED, FAILED, TIMED_OUT, USAGE, CliError
from kortana.processes.posix import signal_name
from kortana.processes.sessions import Detached
from kortana.protocol.legible import legible

STATUS_FD_VARIABLE = "KORTANA_STATUS_FD"
MAX_SHOWN = 10
HEARD_S = 0.2
"""So long is waited for who has stopped reading stderr."""


@click.command()
@file_option
@json_option
@click.option("-d", "--detach", is_flag=True, help="Go to the background once every worker is ready.")
@click.option("--wait-timeout", type=seconds, default=60.0, show_default=True, help="With -d: so long, seconds.")
@click.option("--exit-when-done", is_flag=True, help="End when every task is; exit 0 only if all are completed.")
def up(file: Path | None, as_json: bool, detach: bool, wait_timeout: float, exit_when_done: bool) -> int:
    """Start the workers. Ctrl-C stops them gracefully; a second one kills."""
    project = Project(file)
    project.check_config()
    holder = project.holder()
    if holder is not None:
        raise _already_running(holder)
    if STATUS_FD_VARIABLE not in os.environ:  # whose caller has looked, and has said it
        if (stranded := project.stranded()) is not None:
            raise _already_running(stranded, told_of_stranded(stranded))
        _warn(project)
    if detach:
        return _detach(project, wait_timeout, exit_when_done, as_json)
    return _foreground(project, exit_when_done, as_json)


def _warn(project: Project) -> None:
    from kortana.config.check import unmatched

    lines = list(unmatched(project.config))
    if other := project.elsewhere():
        lines.append(f"{other}; the two know nothing of each other")
    for line in lines:
        print(f"kortana: warning: {line}", file=sys.stderr)


def _already_running(
    pid: int | None, hint: str = "`kortana apply` takes over what kortana.yaml says now; `kortana down` stops it"
) -> CliError:
    message = f"already running, pid {pid}" if pid else "already running"
    return CliError(ALREADY_RUNNING, "already_running", message, hint)


def _foreground(project: Project, exit_when_done: bool, as_json: bool) -> int:
    from kortana.actors.applying import TaskCycleError
    from kortana.adapters.files.edits import EditError
    from kortana.adapters.files.own_log import log_to_file
    from kortana.adapters.files.segments import JournalDamageError
    from kortana.bootstrap import Options, Tree
    from kortana.processes.lock import FolderLock, HeldError
    from kortana.processes.outlet import Outlet

    layout, status = project.layout, _status_pipe()
    try:
        layout.create()
        lock = FolderLock(layout.lock)
        lock.acquire()
    except HeldError as error:
        raise _already_running(error.pid) from None
    except OSError as error:
        raise CliError(FAILED, "data_dir", f"{layout.root}: {error.strerror}", "data_dir must be writable") from None
    log_to_file(layout.log_of("kortana"))
    detached = status is not None
    live = exit_when_done and sys.stdout.isatty() and not as_json
    show = not detached and not as_json
    options = Options(show, live, show and colour_wanted(sys.stdout), exit_when_done)
    errors = Outlet(2)

    def say(text: str) -> None:
        errors.put(f"kortana: {text}\n".encode(), HEARD_S)

    tree = Tree(project.config, layout, options, say)
    try:
        code = tree.run(lock, lambda supervisor: _tell_up(status))
    except JournalDamageError as error:
        hint = "nothing was changed; `kortana fsck` explains, `kortana fsck --repair` mends and keeps what it cuts"
        raise CliError(DAMAGED, "damaged", f"the data is damaged: {error}", hint) from None
    except EditError as error:
        hint = "nothing was changed; mend the file, or delete it to go on without the edits"
        raise CliError(USAGE, "edit", str(error), hint) from None
    except TaskCycleError as error:
        raise CliError(USAGE, "config", str(error), "nothing was started") from None
    except OSError as error:
        where = f"{error.filename2 or error.filename}: " if error.filename else ""
        raise CliError(FAILED, "start", f"cannot start: {where}{error.strerror}", "nothing was left running") from None
    if exit_when_done:
        _print_summary(tree.summary(), as_json)
    return code


def _status_pipe() -> int | None:
    text = os.environ.pop(STATUS_FD_VARIABLE, None)
    return int(text) if text else None


def _tell_up(status: int | None) -> None:
    if status is not None:
        os.write(status, b"up\n")
        os.close(status)


def _print_summary(summary: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    tasks = ", ".join(f"{count} {status}" for status, count in summary["tasks"].items()) or "none"
    print(
        f"tasks: {tasks}\nworkers: {summary['workers']}, claims: {summary['claims']}, denials: {summary['denials']}, "
        f"expired leases: {summary['expired']}, restarts: {summary['restarts']}, {summary['duration_s']} s"
    )
    if summary["unfinished"]:
        print("not completed:")
    for task in summary["unfinished"][:MAX_SHOWN]:
        print(legible(f"  {task['id']}: {task['why'].removeprefix(task['id'] + ' is ')}"))
    if len(summary["unfinished"]) > MAX_SHOWN:
        print("  ... and more: `kortana tasks list`")


def _detach(project: Project, wait_timeout: float, exit_when_done: bool, as_json: bool) -> int:
    """Starts `up` in a session of its own, and waits until it says that its workers are ready."""
    from kortana.adapters.files.layout import private_opener

    project.layout.create()
    # -P: a project's own modules are none of Kortana's
    command = [sys.executable, "-P", "-m", "kortana", "up", "-f", project.config.path]
    errors = project.layout.logs / "up.stderr"
    with open(errors, "wb", opener=private_opener) as stderr:
        words = command + (["--exit-when-done"] if exit_when_done else [])
        supervisor = Detached(words, STATUS_FD_VARIABLE, stderr)
    deadline = time.monotonic() + wait_timeout
    said = supervisor.said(wait_timeout)
    if said is None:
        what = f"the supervisor, pid {supervisor.pid}, has not come up within {wait_timeout:g} s, and goes on trying"
        raise CliError(TIMED_OUT, "timed_out", what, f"see {errors} and `kortana ps`")
    if said != b"up\n":
        raise _ended_early(supervisor.exit_code(), errors.read_text(errors="replace").strip())
    supervisor.let_go()
    _wait_until_ready(project, deadline)
    if as_json:
        print_json({"pid": supervisor.pid, "project": project.config.project})
    else:
        print(f"{project.config.project} is up, pid {supervisor.pid}")
    return 0


def _ended_early(code: int, said: str) -> CliError:
    """Of a supervisor that has not come up. code: as Popen has it, below zero for a signal."""
    if code < 0:
        what = f"the supervisor was ended by {signal_name(-code)} before it had come up"
        return CliError(FAILED, "up_failed", what, said)
    what = said.removeprefix("kortana: ") or "the supervisor ended without a word"
    return CliError(code or FAILED, "up_failed", what)


def _wait_until_ready(project: Project, deadline: float) -> None:
    client = project.client()
    try:
        project.call("wait", timeout_s=max(deadline - time.monotonic(), 0.01), client=client)
    except CliError as error:
        late = error.result["workers"] if error.code == "not_ready" else _unready(project)
        told = told_of("not every worker is ready", late)
        if not late:
            told += f": {error.message}"
        raise CliError(FAILED, "not_ready", told, "see `kortana logs`") from None


def _unready(project: Project) -> list[dict[str, Any]]:
    return [row for row in project.pages("ps", "workers") if not row["ready"] and row["state"] != "exited"]


COMMANDS = {"up": up}
