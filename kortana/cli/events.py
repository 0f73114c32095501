"""`kortana events`: the journal as a stream."""

import json
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from kortana.adapters.files.segments import segment_paths
from kortana.cli import candidates
from kortana.cli.common import Project, json_option
from kortana.cli.follow import Tail, last_lines
from kortana.cli.moments import moment
from kortana.cli.records import field_text, record_in, records_of
from kortana.processes.watch import FolderWatch
from kortana.protocol.codec import encode_json
from kortana.protocol.event import EVENT_TYPES
from kortana.protocol.legible import legible


@click.command()
@click.option("--follow", "-F", "-f", "follow", is_flag=True, help="Go on with what is appended.")
@click.option("-n", "count", type=click.IntRange(0), help="The last N (default: 20 with no other choice).")
@click.option("--type", "event_type", type=click.Choice(sorted(EVENT_TYPES), case_sensitive=False),
              metavar="TYPE", help="Only events of this type.")
@click.option("--task", shell_complete=candidates.tasks, help="Only events about this task.")
@click.option("--agent", shell_complete=candidates.workers, help="Only events from, to or about this agent.")
@click.option("--since", help="From a time, from so long ago (10m), or after a seq.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="The configuration file.")
@json_option
def events(
    follow: bool, count: int | None, event_type: str | None, task: str | None, agent: str | None,
    since: str | None, file: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Show events from the journal."""
    journal = Project(file).layout.journal
    after_seq, since_time = moment("--since", since)
    wanted = _filter(event_type, task, agent, since_time or "")
    show = _show_json if as_json else _show_line
    tail = Tail(journal, last_lines(journal, 0)[1]) if follow else None
    watch = FolderWatch(journal.parent) if follow else None
    if since is None and event_type is None and task is None and agent is None:
        lines: Iterator[bytes] = iter(_last(journal, 20 if count is None else count))
        found: Any = (record_in(line, journal.name) for line in lines)
    else:
        texts = [field_text(name, value) for name, value in (("event_type", event_type), ("task_id", task)) if value]
        texts += [encode_json(agent)] if agent else []
        found = (record for record in records_of(journal, after_seq or 0, tuple(texts)) if wanted(record))
        found = deque(found, maxlen=count) if count is not None else found
    shown_to = after_seq or 0
    for record in found:
        show(record)
        shown_to = record["seq"]
    while tail is not None and watch is not None:
        for line in tail.lines():
            record = record_in(line, journal.name)
            if record["seq"] > shown_to and wanted(record):
                show(record)
        watch.wait()
    return 0


def _last(journal: Path, count: int) -> list[bytes]:
    """The last lines over all segments, newest segment first."""
    found: list[bytes] = []
    for path in reversed(segment_paths(journal)):
        found = last_lines(path, count - len(found))[0] + found
        if len(found) >= count:
            break
    return found


def _filter(
    event_type: str | None, task: str | None, agent: str | None, since_time: str
) -> Callable[[dict[str, Any]], bool]:
    def wanted(record: dict[str, Any]) -> bool:
        return (
            record["recorded_at"] >= since_time
            and event_type in (None, record["event_type"])
            and task in (None, record["task_id"])
            and agent in (None, record["source"], record["target"], record["payload"].get("agent"))
        )

    return wanted


def _show_json(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _show_line(record: dict[str, Any]) -> None:
    payload = json.dumps(record["payload"], ensure_ascii=False)
    payload = payload if len(payload) <= 160 else payload[:157] + "..."
    print(
        f"{record['seq']:>6} {record['recorded_at']} {record['event_type']:<16} "
        f"{record['source']} -> {record['target']} {record['task_id'] or '-'} {legible(payload)}",
        flush=True,
    )


COMMANDS = {"events": events}
