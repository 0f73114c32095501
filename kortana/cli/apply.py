"""`kortana apply` and `scale`: changes a running tree to what kortana.yaml says now, or to other numbers."""

from pathlib import Path
from typing import Any

import click

from kortana.cli import candidates
from kortana.cli.common import Project, file_option, json_option, print_json, timeout_option, told_of
from kortana.cli.errors import FAILED, USAGE, CliError

_SIGNS = {"add": "+", "remove": "-", "change": "~", "keep": "="}


@click.command()
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
@timeout_option
@file_option
@json_option
def apply(dry_run: bool, timeout: float, file: Path | None, as_json: bool) -> int:
    """Re-read kortana.yaml, print what changes, and carry it out. Unchanged workers keep their process."""
    project = Project(file)
    project.check_config()
    plan = _call(project, "apply", 30.0, dry_run=True)
    if not as_json:
        _print_plan(plan)
    if dry_run:
        if as_json:
            print_json({"plan": plan, "applied": False})
        return 0
    done = _call(project, "apply", timeout, dry_run=False)
    print_json({"plan": done, "applied": True}) if as_json else print("applied")
    return 0


@click.command()
@click.argument("sizes", nargs=-1, required=True, metavar="NAME=N...", shell_complete=candidates.sizes)
@timeout_option
@file_option
@json_option
def scale(sizes: tuple[str, ...], timeout: float, file: Path | None, as_json: bool) -> int:
    """Run another number of replicas, until the next `apply` or `up`."""
    counts: dict[str, int] = {}
    for size in sizes:
        name, _, count = size.partition("=")
        if not count.isdecimal():
            raise CliError(USAGE, "usage", f"{size!r}: NAME=N is needed, such as claude=3")
        counts[name] = int(count)
    plan = _call(Project(file), "scale", timeout, counts=counts)
    if as_json:
        print_json({"plan": plan, "applied": True})
    else:
        _print_plan(plan)
    return 0


def _call(project: Project, command: str, timeout_s: float, **args: Any) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = project.call(command, timeout_s=timeout_s, **args)["plan"]
        return found
    except CliError as error:
        if error.code in ("unknown_worker", "config"):
            raise CliError(USAGE, error.code, error.result["detail"], "nothing was changed") from None
        if error.code == "not_ready":
            told = told_of("applied, but not ready", error.result["workers"])
            raise CliError(FAILED, error.code, told, "see `kortana logs`") from None
        raise


def _print_plan(plan: list[dict[str, Any]]) -> None:
    for step in plan:
        what = f" ({step['what']})" if step["what"] else ""
        print(f"{_SIGNS[step['action']]} {step['action']:<6} {step['kind']} {step['name']}{what}")


COMMANDS = {"apply": apply, "scale": scale}
