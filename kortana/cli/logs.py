"""`kortana logs`: the workers' output, and Kortana's own log."""

import itertools
import re
import sys
from collections.abc import Collection
from pathlib import Path

import click

from kortana.cli import candidates
from kortana.cli.app import colour_wanted
from kortana.cli.common import Project, json_option, print_json
from kortana.cli.errors import USAGE, CliError
from kortana.cli.follow import Tail, last_lines_of_log
from kortana.processes.watch import FolderWatch

_OWN = re.compile(r"kortana(\.\d{4}-.*)?")
"""Kortana's own log, and what loguru has put away of it."""
_STREAMS = {b"o": "stdout", b"e": "stderr"}


@click.command()
@click.argument("names", nargs=-1, shell_complete=candidates.logs)
@click.option("--follow", "-f", "follow", is_flag=True, help="Go on with what is appended.")
@click.option("-n", "count", type=click.IntRange(0), default=100, show_default=True, help="The last N lines of each.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line came.")
@click.option("--file", "file", type=click.Path(path_type=Path), help="The configuration file.")
@json_option
def logs(names: tuple[str, ...], follow: bool, count: int, timestamps: bool, file: Path | None, as_json: bool) -> int:
    """Show what workers wrote; NAME kortana is the supervisor's own log."""
    project = Project(file)
    known = project.replicas()
    wanted: list[str] = _resolve(names, known)
    printer = _Printer(max(map(len, wanted), default=0), timestamps, as_json)
    watch = FolderWatch(project.layout.logs) if follow else None
    tails = {}
    groups: list[list[tuple[bytes, str, bytes]]] = []
    for name in wanted:
        lines, offset = last_lines_of_log(project.layout.log_of(name), count)
        groups.append([(line.split(b" ", 1)[0], name, line) for line in lines])
        if follow:
            tails[name] = Tail(project.layout.log_of(name), offset)
    if follow and not names:  # whoever else begins to write is shown too
        tails |= {name: Tail(path, path.stat().st_size) for name, path in _others(project.layout.logs, tails.keys())}
    for _, name, line in sorted(itertools.chain.from_iterable(groups), key=_when):
        printer.show(name, line)
    while watch is not None:
        for name, tail in tails.items():
            for line in tail.lines():
                printer.show(name, line)
        if watch.wait() and not names:
            tails |= {name: Tail(path, 0) for name, path in _others(project.layout.logs, tails.keys())}
    return 0


def _others(folder: Path, known: Collection[str]) -> list[tuple[str, Path]]:
    """Workers that are not among the known ones, and their logs."""
    found = [(path.name.removesuffix(".log"), path) for path in sorted(folder.glob("*.log"))]
    return [(name, path) for name, path in found if name not in known and not _OWN.fullmatch(name)]


def _when(item: tuple[bytes, str, bytes]) -> bytes:
    return item[0]


def _resolve(names: tuple[str, ...], known: dict[str, str]) -> list[str]:
    if not names:
        return list(known)
    found = []
    for name in names:
        matches = (
            [name] if name == "kortana" else [replica for replica, base in known.items() if name in (replica, base)]
        )
        if not matches:
            raise CliError(
                USAGE, "unknown_worker", f"there is no worker {name!r}; there are: {', '.join(known)}, kortana"
            )
        found += matches
    return list(dict.fromkeys(found))


class _Printer:
    def __init__(self, width: int, timestamps: bool, as_json: bool) -> None:
        self._width, self._timestamps, self._as_json = width, timestamps, as_json
        self._colour = colour_wanted(sys.stdout)

    def show(self, name: str, line: bytes) -> None:
        at, _, rest = line.partition(b" ")
        stream, _, text = rest.partition(b" ")
        if name == "kortana":
            stream, text = b"o", rest
        shown = text.decode("utf-8", "replace")
        if self._as_json:
            print_json({"name": name, "at": at.decode(), "stream": _STREAMS.get(stream, "stdout"), "text": shown})
            return
        head = f"{name.ljust(self._width)} | "
        if self._colour:
            head = click.style(head, fg="cyan")
        print(head + (f"{at.decode()} " if self._timestamps else "") + shown, flush=True)


COMMANDS = {"logs": logs}
