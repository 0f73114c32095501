"""`kortana start`, `stop` and `restart`: one worker, or several, while everything else runs."""

from pathlib import Path

import click

from kortana.cli import candidates
from kortana.cli.common import Project, file_option, json_option, print_json, timeout_option, told_of
from kortana.cli.errors import FAILED, USAGE, CliError


def _make(name: str, summary: str, done: str) -> click.Command:
    @click.command(name, help=summary)
    @click.argument("names", nargs=-1, required=True, shell_complete=candidates.workers)
    @file_option
    @json_option
    @timeout_option
    def command(names: tuple[str, ...], file: Path | None, as_json: bool, timeout: float) -> int:
        project = Project(file)
        try:
            project.call(name, timeout_s=timeout, names=list(names))
        except CliError as error:
            if error.code == "unknown_worker":
                raise CliError(USAGE, error.code, error.result["detail"], "`kortana ps` lists the workers") from None
            if error.code == "not_ready":
                told = told_of("not ready", (error.result or {}).get("workers", []))
                raise CliError(FAILED, error.code, told, "see `kortana logs`") from None
            raise
        if as_json:
            print_json({done: list(names)})
        else:
            print(f"{done}: {', '.join(names)}")
        return 0

    return command


COMMANDS = {
    "start": _make("start", "Start workers that are stopped, failed, parked, or wait for others.", "started"),
    "stop": _make("stop", "Stop workers; they stay stopped until `kortana start`.", "stopped"),
    "restart": _make("restart", "Stop workers and start them again.", "restarted"),
}
