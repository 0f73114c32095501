"""`kortana ps`: the supervisor and one row a worker."""

from pathlib import Path
from typing import Any

import click

from kortana.cli.common import Project, file_option, human_bytes, human_s, json_option, last_end, print_json, table
from kortana.processes.numbering import pids_here
from kortana.transport.endpoint import read_endpoint


@click.command()
@file_option
@json_option
def ps(file: Path | None, as_json: bool) -> int:
    """Show the workers, by the pids that they have here: from outside a container, as `ps` and `kill` know them."""
    project = Project(file)
    client = project.client()
    first = project.call("ps", client=client)
    rows = [*first["workers"]]
    if first.get("next") is not None:
        rows = list(project.pages("ps", "workers", client))
    endpoint = read_endpoint(project.layout.run) or {}
    pids = [endpoint.get("pid"), *(row["pid"] for row in rows)]
    known = pids_here(filter(None, pids), endpoint.get("numbering", ""))
    rows = [{**row, "pid": known.get(row["pid"])} for row in rows]
    shown = {
        "project": endpoint.get("project"),
        "pid": known.get(pids[0]),
        "uptime_s": first.get("uptime_s"),
        "state": first["state"],
        "workers": rows,
    }
    if as_json:
        print_json(shown)
        return 0
    print(f"{shown['project']}: {shown['state']}, pid {shown['pid'] or '-'}, up {human_s(shown['uptime_s'])}")
    head = ["NAME", "STATE", "PID", "RESTARTS", "UPTIME", "AGENT", "TASK", "MEMORY", "LAST EXIT"]
    print(table([_row(row) for row in rows], head))
    return 0


def _row(row: dict[str, Any]) -> list[str]:
    return [
        row["name"], row["state"], str(row["pid"] or "-"), str(row["restarts"]), human_s(row["uptime_s"]),
        row["agent_status"], row["task_id"] or "-", human_bytes(row["rss_bytes"]),
        last_end(row["last_exit"]),
    ]  # fmt: skip


COMMANDS = {"ps": ps, "status": ps}
