"""`kortana tasks`: the task graph as people see and change it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click

from kortana.cli import candidates
from kortana.cli.common import Project, file_option, json_option, print_json, table
from kortana.cli.errors import FAILED, REFUSED, USAGE, CliError
from kortana.cli.records import field_text, in_words, records_of
from kortana.config.units import seconds_of
from kortana.core.task import FAILED as FAILED_TASK
from kortana.core.task import STATUSES
from kortana.protocol import event as ev
from kortana.protocol.legible import legible_lines
from kortana.protocol.parsing import parse_json
from kortana.protocol.reasons import UNKNOWN_TASK

QUARANTINED = "quarantined"
"""As what a failed task is shown, which a person may ask for."""
MAX_SHOWN = 20
"""Refusals that are named, of many tasks."""
_FIELDS = ("title", "run", "prompt", "priority", "depends_on", "paths", "requires", "lease_ttl_s", "max_attempts")


@click.group()
def tasks() -> None:
    """List and change the tasks."""


def _all_tasks(project: Project, status: str | None = None) -> Iterator[dict[str, Any]]:
    """Every task, or those with a status: from the running coordinator, or from the files where nothing runs."""
    if project.holder() is not None:
        yield from project.pages("tasks", "tasks", status=status)
    else:
        import msgspec

        from kortana.cli.offline import current_state

        for task in current_state(project).tasks.values():
            if status in (None, task.status):
                yield msgspec.to_builtins(task)


def _one_task(project: Project, task_id: str) -> dict[str, Any]:
    """Raises CliError."""
    unknown = CliError(FAILED, "unknown_task", f"there is no task {task_id!r}", "`kortana tasks list` lists them")
    if project.holder() is None:
        import msgspec

        from kortana.cli.offline import current_state

        found = current_state(project).tasks.get(task_id)
        if found is None:
            raise unknown
        return dict(msgspec.to_builtins(found))
    try:
        return dict(project.call("task", id=task_id))
    except CliError as error:
        raise unknown if error.code == UNKNOWN_TASK else error from None


@tasks.command("list")
@file_option
@json_option
@click.option("--status", type=click.Choice([*STATUSES, QUARANTINED]), metavar="STATUS",
              help=f"Only tasks with this status: {', '.join((*STATUSES, QUARANTINED))}.")
def list_tasks(file: Path | None, as_json: bool, status: str | None) -> int:
    """List the tasks."""
    found = _all_tasks(Project(file), FAILED_TASK if status == QUARANTINED else status)
    if status == QUARANTINED:
        found = (task for task in found if task["quarantined"])
    if as_json:
        print_json({"tasks": list(found)})
        return 0
    rows = [_row(task) for task in found]
    print(table(rows, ["ID", "STATUS", "OWNER", "PROGRESS", "ATTEMPTS", "PRIORITY", "TITLE"]) if rows else "no tasks")
    return 0


def _row(task: dict[str, Any]) -> list[str]:
    progress = "-" if task["progress"] is None else f"{task['progress']:.0f} %"
    status = QUARANTINED if task["quarantined"] else task["status"]
    attempts = f"{task['attempts']}/{task['max_attempts']}"
    return [task["id"], status, task["owner"] or "-", progress, attempts, str(task["priority"]), task["title"][:60]]


@tasks.command()
@click.argument("task_id", shell_complete=candidates.tasks)
@file_option
@json_option
def show(task_id: str, file: Path | None, as_json: bool) -> int:
    """Show one task and its history."""
    project = Project(file)
    task = _one_task(project, task_id)
    about = records_of(project.layout.journal, holding=(field_text("task_id", task_id),))
    history = [record for record in about if record["task_id"] == task_id]
    if as_json:
        print_json({**task, "history": history})
        return 0
    for key, value in task.items():
        if value not in (None, "", [], (), False):
            shown = legible_lines(value, " " * 15) if isinstance(value, str) else json.dumps(value)
            print(f"{key:14} {shown}")
    print("history:")
    for record in history[-50:]:
        print(
            f"  {record['seq']:>6} {record['recorded_at']} {record['event_type']:<13} "
            f"{record['source']} -> {record['target']}  {in_words(record)}".rstrip()
        )
    return 0


@tasks.command()
@click.argument("task_id")
@click.option("--title", default="", help="What it is about.")
@click.option("--run", help="For the shell adapter: run by /bin/sh.")
@click.option("--prompt", help="For an AI agent adapter.")
@click.option("--priority", type=int, default=50, show_default=True, help="Higher first.")
@click.option("--depends-on", multiple=True, metavar="ID", help="Repeatable.")
@click.option("--path", "paths", multiple=True, metavar="GLOB", help="Reserved while leased. Repeatable.")
@click.option("--requires", multiple=True, metavar="CAPABILITY", help="Repeatable.")
@click.option("--lease-ttl", metavar="DURATION", help="How long a claim lasts without a sign of life, like 5m.")
@click.option("--max-attempts", type=int, help="Then it is quarantined.")
@file_option
@json_option
def add(task_id: str, file: Path | None, as_json: bool, lease_ttl: str | None, **fields: Any) -> int:
    """Add a task."""
    fields["lease_ttl_s"] = None if lease_ttl is None else _seconds("--lease-ttl", lease_ttl)
    payload = {
        key: list(value) if isinstance(value, tuple) else value for key, value in fields.items() if value is not None
    }
    project = Project(file)
    answer = project.submit(ev.TASK_ADD, task_id, payload, project.client())
    print_json(answer) if as_json else print(f"added {task_id}")
    return 0


def _seconds(option: str, text: str) -> float:
    try:
        return seconds_of(float(text) if text.replace(".", "", 1).isdecimal() else text)
    except ValueError as error:
        raise CliError(USAGE, "usage", f"{option}: {error}") from None


def _refusals(refused: list[tuple[str, CliError]], hint: str) -> CliError:
    """All of them as one."""
    shown = [f"{name}: {refusal.message}" for name, refusal in refused[:MAX_SHOWN]]
    more = [f"and {len(refused) - MAX_SHOWN} more"] if len(refused) > MAX_SHOWN else []
    return CliError(REFUSED, refused[0][1].code, "\n".join(shown + more), hint)


def _change(name: str, summary: str, event_type: str, payload: dict[str, Any], done: str) -> None:
    @tasks.command(name, help=summary)
    @click.argument("task_ids", nargs=-1, required=True, shell_complete=candidates.tasks)
    @file_option
    @json_option
    def command(task_ids: tuple[str, ...], file: Path | None, as_json: bool) -> int:
        project = Project(file)
        refused: list[tuple[str, CliError]] = []
        for task_id, outcome in project.submit_many(event_type, [(t, payload) for t in task_ids], project.client()):
            if isinstance(outcome, CliError):
                refused.append((task_id, outcome))
            else:
                print_json(outcome) if as_json else print(f"{done} {task_id}")
        if len(task_ids) == 1 and refused:
            raise refused[0][1]
        if refused:
            raise _refusals(refused, f"{len(task_ids) - len(refused)} {done}, {len(refused)} refused")
        return 0


_change("release", "Take tasks from whoever holds them.", ev.TASK_RELEASE, {}, "released")
_change("reset", "Set tasks back to pending, with a clean slate.", ev.TASK_RESET, {"mode": "reset"}, "reset")
_change("retry", "Bring quarantined tasks back.", ev.TASK_RESET, {"mode": "retry"}, "will retry")
_change("cancel", "End tasks for good.", ev.TASK_CANCEL, {}, "cancelled")
_change("rm", "Remove tasks that nothing depends on.", ev.OPERATOR_EDIT, {"remove": True}, "removed")


@tasks.command("export")
@file_option
@json_option
def export_tasks(file: Path | None, as_json: bool) -> int:
    """Print the tasks as JSON lines that `import` takes."""
    for task in _all_tasks(Project(file)):
        spec = {**task, "lease_ttl_s": task["ttl_s"]}  # what was asked for, not a lease's
        print_json({"id": task["id"], **{key: spec[key] for key in _FIELDS if spec.get(key) not in (None, "", [])}})
    return 0


@tasks.command("import")
@click.argument("source", type=click.File("r", encoding="utf-8"), default="-")
@file_option
@json_option
def import_tasks(source: TextIO, file: Path | None, as_json: bool) -> int:
    """Add the tasks in a file of JSON lines; those that are there already stay as they are."""
    specs = [(spec["id"], {key: value for key, value in spec.items() if key != "id"}) for spec in _parse_lines(source)]
    project = Project(file)
    added = kept = 0
    refused: list[tuple[str, CliError]] = []
    for name, outcome in project.submit_many(ev.TASK_ADD, specs, project.client()):
        if not isinstance(outcome, CliError):
            added += 1
        elif outcome.code == "task_exists":
            kept += 1
        else:
            refused.append((name, outcome))
    told = f"added {added}, {kept} were there already"
    if refused:
        raise _refusals(refused, f"{told}, {len(refused)} refused")
    print_json({"added": added, "kept": kept}) if as_json else print(told)
    return 0


def _parse_lines(source: TextIO) -> Iterator[dict[str, Any]]:
    """Every line checked before the first is sent. Raises CliError naming each bad line."""
    problems = []
    specs = []
    name = getattr(source, "name", "-")
    try:
        lines = source.readlines()
    except UnicodeDecodeError as error:
        raise CliError(USAGE, "usage", f"{name}: no UTF-8: {error.reason} at byte {error.start}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            spec = parse_json(line)
        except ValueError as error:
            problems.append(f"{where}: not JSON: {error}")
            continue
        if not isinstance(spec, dict) or not isinstance(spec.get("id"), str):
            problems.append(f"{where}: an object with an id is needed")
            continue
        unknown = set(spec) - {"id", *_FIELDS}
        if unknown:
            problems.append(f"{where}: unknown fields {', '.join(sorted(unknown))}; known: {', '.join(_FIELDS)}")
        specs.append(spec)
    if problems:
        raise CliError(USAGE, "bad_import", "\n".join(problems), "nothing was added")
    return iter(specs)


COMMANDS = {"tasks": tasks}
