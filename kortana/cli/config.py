"""`kortana config`: checks and shows the configuration, explains its keys, and prints its JSON Schema."""

import sys
import textwrap
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kortana.cli import candidates
from kortana.cli.common import file_option, json_option, print_json
from kortana.cli.errors import USAGE, CliError
from kortana.cli.finding import load

if TYPE_CHECKING:
    from kortana.config.spec import Config

WIDTH = 96
"""Of what is explained, in characters."""


@click.group()
def config() -> None:
    """Check, show and explain kortana.yaml."""


@config.command()
@file_option
@json_option
def check(file: Path | None, as_json: bool) -> int:
    """Report every problem at once; exit 2 where there is one."""
    found = load(file)
    counts = {"workers": sum(worker.replicas for worker in found.workers), "tasks": len(found.tasks)}
    from kortana.cli.doctor import missing_commands
    from kortana.config.check import unmatched

    missing, strange = missing_commands(found), [*unmatched(found), *_unreadable(found)]
    for line in (*(f"not found: {line}" for line in missing), *strange):
        print(f"warning: {line}", file=sys.stderr)
    if as_json:
        print_json({"ok": True, **counts, "missing": missing, "warnings": strange})
    else:
        print(f"{found.path}: ok, {counts['workers']} workers, {counts['tasks']} tasks")
    return 0


def _unreadable(found: "Config") -> list[str]:
    """Workers that cannot start as long as their env_file is what it is now: it is read at each start."""
    from kortana.actors.environment import EnvFileError, read_env_file

    lines = []
    for worker in found.workers:
        try:
            if worker.env_file is not None:
                read_env_file(Path(worker.env_file))
        except EnvFileError as error:
            lines.append(f"worker {worker.name} cannot start: {error}")
    return lines


@config.command()
@file_option
@json_option
def show(file: Path | None, as_json: bool) -> int:
    """Print the configuration in force, with all defaults filled in."""
    import msgspec

    found = msgspec.to_builtins(load(file))
    if as_json:
        print_json(found)
        return 0
    import yaml

    print(yaml.safe_dump(found, sort_keys=False, allow_unicode=True), end="")
    return 0


@config.command()
@json_option
def schema(as_json: bool) -> int:
    """Print the JSON Schema of kortana.yaml."""
    import json

    from kortana.config.reference import json_schema

    print_json(json_schema()) if as_json else print(json.dumps(json_schema(), indent=2))
    return 0


@config.command()
@click.argument("key", default="", shell_complete=candidates.config_keys)
@json_option
def explain(key: str, as_json: bool) -> int:
    """Say what a key of kortana.yaml is for, and those below it: `workers.NAME.stop`. Without KEY: all of them."""
    import msgspec

    from kortana.config.reference import keys, told_of

    found = told_of(key)
    if not found:
        close = get_close_matches(key, [known.path for known in keys()], 1)
        hint = f"did you mean {close[0]}?" if close else "`kortana config explain` shows them all"
        raise CliError(USAGE, "usage", f"{key}: there is no such key", hint)
    if as_json:
        print_json({"keys": msgspec.to_builtins(found)})
        return 0
    for known in found:
        default = "" if known.default is None else f"; default {known.default}"
        print(f"{known.path}  ({known.kind}{default})")
        print(textwrap.indent(textwrap.fill(known.text, WIDTH), "    "))
    return 0


COMMANDS = {"config": config}
