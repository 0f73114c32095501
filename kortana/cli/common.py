"""What commands share: the project at hand, the control client, and how results are printed."""

import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kortana.adapters.files.layout import DataLayout
from kortana.cli.conversation import LONGEST_S
from kortana.cli.errors import REFUSED, TIMED_OUT, USAGE, CliError, not_running
from kortana.cli.finding import find_file, load, places
from kortana.cli.versions import tell_if_other
from kortana.config.whereabouts import data_dir_in, has_run, plain_data_dir
from kortana.processes.lock import holder_of
from kortana.protocol import event as ev
from kortana.protocol.event import Event
from kortana.protocol.legible import legible
from kortana.protocol.reasons import UNAVAILABLE
from kortana.transport.client import Client
from kortana.transport.dialing import KortanaUnavailable, Refused
from kortana.transport.endpoint import find_socket
from kortana.transport.inside import is_own
from kortana.transport.outgoing import Hello, make_event

if TYPE_CHECKING:
    from kortana.config.spec import Config


def file_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`-f/--file PATH`."""
    text = "The configuration file (default: kortana.yaml here or in a folder above)."
    return click.option("-f", "--file", "file", type=click.Path(path_type=Path), help=text)(function)


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(function)


IN_FLIGHT = 64


def seconds(value: str | float) -> float:
    """The type of an option that says how long to wait."""
    try:
        found = float(value)
    except ValueError:
        found = -1.0
    if not 0 <= found <= LONGEST_S:
        raise click.BadParameter(f"{value!r} is no number of seconds from 0 to {LONGEST_S}")
    return found


def timeout_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--timeout`."""
    text = "How long to wait, seconds."
    return click.option("--timeout", type=seconds, default=60.0, show_default=True, help=text)(function)


def told_of_stranded(pid: int) -> str:
    return f"pid {pid} is ending, as its data folder was removed; `kortana down` waits for that"


class Project:
    """The project at hand: its configuration, data folder, and the running tree, where there is one.

    A configuration that is just being edited, or needs a variable that is not set here, is in nobody's way who only
    wants to see or stop what runs; nor is one that is gone, with another branch say.
    """

    def __init__(self, file: Path | None) -> None:
        """Raises CliError where there is no configuration, or one that cannot be used and no data folder either."""
        try:
            self._path = find_file(file)
        except CliError:
            from kortana.transport.elsewhere import tree_by_one_of

            running = tree_by_one_of([file] if file else places())
            if running is None:
                raise
            self._path, folder = running
            self.layout = DataLayout(folder)
        else:
            plain = plain_data_dir(self._path)
            self.layout = DataLayout(plain if plain and has_run(plain) else self._said_data_dir())

    def _said_data_dir(self) -> Path:
        if not isinstance(self._loaded, CliError):
            return Path(self._loaded.data_dir)
        found = data_dir_in(self._path) if self._loaded.code == "config" else None
        if found is None:
            raise self._loaded
        return found

    @cached_property
    def _loaded(self) -> "Config | CliError":
        """Not before it is asked for: to read it takes a third of a short command's time."""
        try:
            return load(self._path)
        except CliError as error:
            return error

    @property
    def config(self) -> "Config":
        """Raises CliError with all that is wrong with it."""
        if isinstance(self._loaded, CliError):
            raise self._loaded
        return self._loaded

    def check_config(self) -> None:
        """Raises CliError with all that is wrong with it."""
        _ = self.config

    def replicas(self) -> dict[str, str]:
        """Every worker's name → that in kortana.yaml; where that cannot be used, whoever has a log."""
        if isinstance(self._loaded, CliError):
            names = sorted(path.stem for path in self.layout.logs.glob("*.log"))
            return {name: name for name in names if name != "kortana"}
        return {name: worker.name for worker in self._loaded.workers for name in worker.replica_names()}

    def _source(self) -> str:
        """A person is the operator; a process of one of this tree's workers asks as that worker."""
        socket = self._find_socket()
        inside = os.environ.get("KORTANA_AGENT") if socket is not None and is_own(socket) else None
        return inside or ev.OPERATOR

    def _hello(self) -> Hello:
        source = self._source()
        if source == ev.OPERATOR:
            return Hello(source, role="operator", receive=False)
        return Hello(source, receive=False)

    def _find_socket(self) -> str | None:
        return find_socket(self.layout.run)

    def holder(self) -> int | None:
        """The pid of the running supervisor, or None."""
        return holder_of(self.layout.lock)

    def stranded(self) -> int | None:
        """The pid of a supervisor that is about to end, as somebody has removed its data folder; asked where no other
        is found."""
        from kortana.transport.elsewhere import stranded

        return stranded(self.layout.root)

    def elsewhere(self) -> str:
        """That this configuration runs with another data folder, for a person who might not know; else empty."""
        from kortana.transport.elsewhere import trees_elsewhere

        found = [f"pid {pid} with {folder}" for pid, folder in trees_elsewhere(self._path, self.layout.root)]
        return f"this configuration runs with another data_dir: {', '.join(found)}" if found else ""

    def _not_running(self) -> CliError:
        error = not_running()
        pid = self.stranded()
        error.hint = told_of_stranded(pid) if pid is not None else self.elsewhere() or error.hint
        return error

    def client(self, patience_s: float = 5.0) -> Client:
        """A connected operator, until the command ends. Raises CliError where nothing runs."""
        if self.holder() is None:
            raise self._not_running()
        client = Client(self._find_socket, self._hello(), patience_s)
        if (command := click.get_current_context(silent=True)) is not None:
            command.call_on_close(client.close)
        try:
            client.connect()
        except KortanaUnavailable:
            raise not_running() from None
        except Refused as error:
            raise CliError(REFUSED, error.reason, str(error)) from None
        tell_if_other(client.welcome.get("version"))
        return client

    def call(self, command: str, timeout_s: float = 30.0, client: Client | None = None, **args: Any) -> Any:
        """Sends a COMMAND and gives its result. Raises CliError."""
        event = make_event(self._source(), ev.COMMAND, payload={"command": command, "args": args})
        return self._checked(self._request(client or self.client(), event, timeout_s)).get("result")

    def submit(self, event_type: str, task_id: str | None, payload: dict[str, Any], client: Client) -> dict[str, Any]:
        """Sends an operator's event and gives the ACK's payload. Raises CliError where it is refused."""
        event = make_event(self._source(), event_type, task_id=task_id, payload=payload)
        return self._checked(self._request(client, event, 30.0))

    def submit_many(
        self, event_type: str, items: Iterable[tuple[str, dict[str, Any]]], client: Client
    ) -> Iterator[tuple[str, dict[str, Any] | CliError]]:
        """As `submit`, for many tasks, some of them in flight at a time; gives each with its ACK, or with why it was
        refused. Raises CliError for what concerns them all.
        """
        source, rest, patient = self._source(), iter(items), True
        while batch := list(itertools.islice(rest, IN_FLIGHT)):
            events = [make_event(source, event_type, task_id=name, payload=payload) for name, payload in batch]
            try:
                client.begin(events)
                begun = True
            except ValueError:
                begun = False  # one of them is too long: then each for itself
            except ConnectionError:
                raise not_running() from None
            for event in events:
                outcome = self._outcome(client, event, begun, patient)
                patient = patient and not (isinstance(outcome, CliError) and outcome.code == UNAVAILABLE)
                yield event.task_id or "", outcome

    def _outcome(self, client: Client, event: Event, begun: bool, patient: bool) -> dict[str, Any] | CliError:
        """patient: whether what cannot be decided just now is asked for again, for a while."""
        try:
            answer = self._request(client, event, 30.0, begun)
            if answer["reason"] == UNAVAILABLE and begun and patient:
                answer = self._request(client, event, 30.0)
            return self._checked(answer)
        except CliError as error:
            if error.exit_code in (REFUSED, USAGE):
                return error
            raise

    def pages(self, command: str, key: str, client: Client | None = None, **args: Any) -> Iterator[Any]:
        """Every item of a paged command."""
        client = client or self.client()
        following: int | None = 0
        while following is not None:
            page = self.call(command, client=client, **{**args, "from": following})
            yield from page[key]
            following = page.get("next")

    def _request(self, client: Client, event: Event, timeout_s: float, begun: bool = False) -> dict[str, Any]:
        try:
            return client.finish(event, timeout_s) if begun else client.request(event, timeout_s)
        except ValueError as error:
            raise CliError(USAGE, "usage", f"this cannot be sent: {error}") from None
        except TimeoutError as error:
            raise CliError(TIMED_OUT, "timed_out", str(error)) from None
        except ConnectionError:
            raise not_running() from None

    def _checked(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not answer["accepted"]:
            result = answer.get("result")
            detail = result.get("detail", "") if isinstance(result, dict) else ""
            message = f"refused: {answer['reason']}" + (f" ({detail})" if detail else "")
            error = CliError(REFUSED, answer["reason"], message)
            error.result = result
            raise error
        return answer


def print_json(value: Any) -> None:
    """One JSON object on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def table(rows: list[list[str]], head: list[str]) -> str:
    """Rows under a head, in aligned columns."""
    rows = [list(map(legible, row)) for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    return "\n".join(lines)


def human_s(seconds: float | None) -> str:
    """`3.2s`, `4m10s`, `2h03m`, or `-`."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def human_bytes(count: int | None) -> str:
    if count is None:
        return "-"
    return f"{count / (1 << 20):.1f}MiB"


def told_of(what: str, rows: list[dict[str, Any]]) -> str:
    """What is wrong, and with which workers, each with why; where there are several, on a line of its own."""
    parts = [(f"{row['name']} is {row['state']}", last_end(row["last_exit"])) for row in rows]
    lines = [f"{state}: {end}" if end else state for state, end in parts]
    return "\n  ".join([f"{what}:", *lines]) if len(lines) > 1 else ": ".join([what, *lines])


def last_end(last: dict[str, Any] | None) -> str:
    """How a worker last ended, and why, or why it could not begin; empty where it has not ended yet."""
    if last is None:
        return ""
    how = last["signal"] or ("could not begin" if last["code"] is None else f"exit code {last['code']}")
    return f"{how} ({last['reason']})" if last["reason"] else how
