"""`kortana crashes`: what died, how often, and why; and what comes of it."""

import re
from pathlib import Path
from typing import Any

import click

from kortana.adapters.files.crashes import CrashStore
from kortana.cli import candidates
from kortana.cli.common import Project, file_option, human_bytes, human_s, json_option, last_end, print_json, table
from kortana.cli.errors import FAILED, NOT_RUNNING, USAGE, CliError
from kortana.protocol.legible import legible_lines

SHOWN_OUTPUT = 30
SHOWN_EVENTS = 10
MAX_NAMES = 4
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


@click.group(invoke_without_command=True)
@file_option
@json_option
@click.pass_context
def crashes(context: click.Context, file: Path | None, as_json: bool) -> int | None:
    """Crash records, grouped by how and where the worker died; the newest group first."""
    return _list(file, as_json) if context.invoked_subcommand is None else None


@crashes.command("list")
@file_option
@json_option
def list_groups(file: Path | None, as_json: bool) -> int:
    """The groups."""
    return _list(file, as_json)


def _list(file: Path | None, as_json: bool) -> int:
    groups = CrashStore(Project(file).layout.crashes).groups()
    if as_json:
        print_json({"groups": groups})
        return 0
    if not groups:
        print("no crashes")
        return 0
    rows = [
        [str(g["count"]), g["last_seen"][:19].replace("T", " "), _some(g["workers"]), g["verdict"], g["ids"][-1],
         g["summary"]]
        for g in groups
    ]  # fmt: skip
    print(table(rows, ["COUNT", "LAST SEEN", "WORKERS", "VERDICT", "LATEST ID", "SUMMARY"]))
    return 0


def _shown(line: str) -> str:
    """What a worker has printed, without its colours."""
    return legible_lines(_COLOURS.sub("", line))


def _some(names: list[str]) -> str:
    """As many as a column has room for."""
    more = len(names) - MAX_NAMES
    return ",".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


@crashes.command()
@click.argument("crash_id", shell_complete=candidates.crashes)
@file_option
@json_option
def show(crash_id: str, file: Path | None, as_json: bool) -> int:
    """One record, by its ID or the beginning of it."""
    record = CrashStore(Project(file).layout.crashes).read(crash_id)
    if record is None:
        raise CliError(FAILED, "unknown_crash", f"there is no one crash {crash_id!r}", "`kortana crashes` lists them")
    if as_json:
        print_json(record)
    else:
        print("\n".join(map(_shown, _lines(record))))
    return 0


def _lines(record: dict[str, Any]) -> list[str]:
    how = record["signal"] or (
        f"exit code {record['exit_code']}" if record["exit_code"] is not None else "no exit code"
    )
    found = [
        f"{record['worker']} (incarnation {record['incarnation']}, pid {record['pid']}) died at {record['at']}: {how}",
        f"verdict      {record['verdict']}: {record['summary']}",
        *(f"  evidence   {line}" for line in record["evidence"]),
        f"uptime       {human_s(record['uptime_s'])}" + ("" if record.get("ready") else ", not ready yet"),
    ]
    if record.get("command"):
        command = record["command"]
        found.append("command      " + (" ".join(command) if isinstance(command, list) else str(command)))
    found += [f"task         {held['task']} (token {held['token']})" for held in record["tasks"]] or [
        "task         none"
    ]
    found.append(f"then         {_restart(record.get('restart'))}")
    version = record.get("code_version")
    if version:
        found.append(
            f"code         {version['commit'][:12]}" + (", with uncommitted changes" if version["dirty"] else "")
        )
    usage = record.get("rusage")
    if usage:
        found.append(f"used         {usage['user_s']:.2f}s user, {usage['system_s']:.2f}s system, "
                     f"at most {human_bytes(usage['max_rss_bytes'])}" + _trend(usage["samples"]))  # fmt: skip
    if record.get("exception"):
        found += ["", "exception", *_exception(record["exception"], "  ")]
    if record.get("stacks"):
        found += ["", "stacks", *("  " + line for line in record["stacks"].splitlines())]
    output = record["output"][-SHOWN_OUTPUT:]
    if output:
        streams = {"o": "out", "e": "err"}
        found += ["", f"last output ({len(output)} of {len(record['output'])} lines kept)"]
        found += [f"  {line['at'][11:23]} {streams.get(line['stream'], '')} {line['text']}" for line in output]
    if record["events"]:
        found += ["", "last events"]
        found += [f"  {e['seq']:>6} {e['recorded_at'][11:23]} {e['event_type']} {e['source']} -> {e['target']} "
                  f"{e['task_id'] or ''}" for e in record["events"][-SHOWN_EVENTS:]]  # fmt: skip
    found += ["", f"fingerprint {record['fingerprint']}; the whole record: kortana crashes show {record['id']} --json"]
    return found


def _trend(samples: list[dict[str, Any]]) -> str:
    if len(samples) < 2:
        return ""
    first, last = samples[0], samples[-1]
    return (f"; {human_bytes(first['rss_bytes'])} -> {human_bytes(last['rss_bytes'])} and {first['open_files']} -> "
            f"{last['open_files']} open files in its last {human_s(last['at_s'] - first['at_s'])}")  # fmt: skip


def _exception(exception: dict[str, Any], indent: str) -> list[str]:
    found = []
    for key, title in (("cause", "which was the direct cause of:"), ("context", "during whose handling came:")):
        if exception.get(key):
            found += [*_exception(exception[key], indent), f"{indent}{title}"]
    for frame in exception["frames"]:
        found.append(f"{indent}{frame['file']}:{frame['line']} in {frame['function']}: {frame['text']}")
    found.append(f"{indent}{exception['type']}: {exception['message']}")
    found += [f"{indent}note: {note}" for note in exception.get("notes", ())]
    for number, each in enumerate(exception.get("group", ()), 1):
        found += [f"{indent}{number} of {len(exception['group'])} in the group:", *_exception(each, indent + "  ")]
    return found


def _restart(restart: dict[str, Any] | None) -> str:
    if not restart:
        return "nothing"
    if "gave_up" in restart:
        budget = f"{restart['intensity']} in {restart['period_s']:g}s"
        return f"gave up: the {restart['gave_up']}'s budget of {budget} is used up"
    if "retry_in_s" in restart:
        return f"parked for {restart['retry_in_s']:g}s"
    if "delay_s" in restart:
        return (f"restarted after {restart['delay_s']:g}s, restart {restart['window_used']} of {restart['intensity']} "
                f"in {restart['period_s']:g}s")  # fmt: skip
    return str(restart.get("state"))


@crashes.command()
@click.argument("name", shell_complete=candidates.workers)
@file_option
@json_option
def explain(name: str, file: Path | None, as_json: bool) -> int:
    """Why a worker was restarted or not, what its budget says, and when it starts next."""
    project = Project(file)
    try:
        found = project.call("explain", name=name)
    except CliError as error:
        if error.code == "unknown_worker":
            raise CliError(USAGE, error.code, error.result["detail"], "`kortana ps` lists the workers") from None
        if error.exit_code != NOT_RUNNING:
            raise
        found = None
    records = [record for record in CrashStore(project.layout.crashes).all() if record["worker"] == name]
    if as_json:
        latest = records[-1]["id"] if records else None
        print_json({"worker": name, "now": found, "crashes": len(records), "latest": latest})
        return 0
    print("\n".join(map(_shown, _explanation(name, found, records))))
    return 0


def _explanation(name: str, now: dict[str, Any] | None, records: list[dict[str, Any]]) -> list[str]:
    lines = []
    if now is None:
        lines.append(f"{name}: Kortana is not running here")
    else:
        lines.append(
            f"{name} is {now['state']}" + (f", pid {now['pid']}, up {human_s(now['uptime_s'])}" if now["pid"] else "")
        )
        last = now["last_exit"]
        if last is not None:
            lines.append(f"  last end: {last_end(last)} at {last['at']}")
        lines.append(f"  restart: {now['restart']}; {now['restarts']} restarts since `up`")
        lines.append(
            f"  its budget: {now['window_used']} of {now['intensity']} restarts in the last {now['period_s']:g}s"
        )
        lines.append(f"  the tree's: {now['tree_window_used']} of {now['tree_intensity']} in {now['tree_period_s']:g}s")
        if now["next_in_s"] is not None:
            lines.append(f"  next start in {now['next_in_s']:g}s")
        elif now["state"] in ("failed", "stopped", "parked"):
            lines.append(f"  it stays so until `kortana start {name}`")
    for record in records[-5:]:
        lines.append(f"  {record['at']}  {record['summary']}; {_restart(record.get('restart'))}  [{record['id']}]")
    return lines


COMMANDS = {"crashes": crashes}
