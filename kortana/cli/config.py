"""`kortana config`: checks and shows the configuration, and prints its JSON Schema."""

import sys
from pathlib import Path

import click

from kortana.cli.common import file_option, json_option, print_json
from kortana.cli.finding import load


@click.group()
def config() -> None:
    """Check and show kortana.yaml."""


@config.command()
@file_option
@json_option
def check(file: Path | None, as_json: bool) -> int:
    """Report every problem at once; exit 2 where there is one."""
    found = load(file)
    counts = {"workers": sum(worker.replicas for worker in found.workers), "tasks": len(found.tasks)}
    from kortana.cli.doctor import missing_commands
    from kortana.config.check import unmatched

    missing, strange = missing_commands(found), unmatched(found)
    for line in (*(f"not found: {line}" for line in missing), *strange):
        print(f"warning: {line}", file=sys.stderr)
    if as_json:
        print_json({"ok": True, **counts, "missing": missing, "warnings": strange})
    else:
        print(f"{found.path}: ok, {counts['workers']} workers, {counts['tasks']} tasks")
    return 0


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

    from kortana.config.schema import json_schema

    print_json(json_schema()) if as_json else print(json.dumps(json_schema(), indent=2))
    return 0


COMMANDS = {"config": config}
