"""The relay actor: the legacy file mailboxes as agents like any other (CONTRACT section 7)."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pykka

from kortana.actors.messages import FilesChanged, RelayAnswer, RelayDied, RelayInbound, RelayResubmit
from kortana.adapters.files.layout import replace_file
from kortana.adapters.relay.lines import BadLine, event_of, log_agent, message_of
from kortana.adapters.relay.tail import Line, Position, TailedFile, append_lines, tail_of
from kortana.processes.watch import FolderWatch
from kortana.protocol import event as ev
from kortana.protocol.codec import decode_strict, encode_json
from kortana.protocol.event import Event
from kortana.protocol.timestamps import iso_from_ms

MAX_UNANSWERED = 2_000
MAX_LOGS = 256
WATCH_S = 5.0
"""So long a watch of an actor that has died goes on at most."""
TAIL_BYTES = 8 << 20
"""How far back in an agent's file answers are looked for after a restart."""


class RelayActor(pykka.ThreadingActor):
    """Reads queues/coordinator_in.txt and logs/*.log, and appends answers and deliveries to queues/X_in.txt.

    attach: makes an agent's connection that hands bodies to a sink, and gives its number. submit: tells the
    coordinator. A position moves on only past what has been answered, so that a crash repeats, never loses; what
    was answered before is known by the answers in the file.
    """

    use_daemon_thread = True

    def __init__(
        self,
        root: Path,
        positions: Path,
        attach: Callable[[str, Callable[[bytes], None]], int],
        submit: Callable[[Any], None],
        log: Callable[..., None],
        supervisor: Any,
    ) -> None:
        super().__init__()
        self._queues, self._logs = root / "queues", root / "logs"
        self._positions_path, self._attach, self._submit, self._log = positions, attach, submit, log
        self._supervisor = supervisor
        self._conns: dict[str, int] = {}
        self._files: dict[str, TailedFile] = {}
        self._unanswered: dict[tuple[str, str], tuple[Event, int]] = {}
        """(source, id) → the event, and where its line begins."""
        self._answered: dict[str, set[str]] = {}
        """Agent → ids that a former run has answered already."""
        self._last_position = b""
        self._complaints: dict[Path, str] = {}

    def on_start(self) -> None:
        try:
            self._begin()
        except Exception as error:  # of which `on_failure` is not told
            self._supervisor.tell(RelayDied(f"{type(error).__name__}: {error}"))
            raise

    def _begin(self) -> None:
        for folder in (self._queues, self._logs):
            folder.mkdir(parents=True, exist_ok=True)
        saved: dict[str, Position] = {}
        try:
            saved = msgspec.json.decode(self._positions_path.read_bytes(), type=dict[str, Position])
        except (OSError, msgspec.MsgspecError):
            pass
        self._saved = saved
        self._inbound = self._file(self._queues / "coordinator_in.txt")
        for path in sorted(self._queues.glob("*_in.txt")):
            agent = path.name.removesuffix("_in.txt")
            if _is_agent(agent):
                self._connect(agent)
        for folder in (self._queues, self._logs):
            threading.Thread(target=self._watch, args=(folder,), name="relay-watch", daemon=True).start()
        self.actor_ref.tell(FilesChanged())

    def on_receive(self, message: Any) -> Any:
        match message:
            case FilesChanged():
                self._read()
            case RelayAnswer(agent=agent, body=body):
                self._deliver(agent, body)
            case RelayResubmit():
                self._resubmit()
        return True

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._supervisor.tell(RelayDied(f"{exception_type.__name__}: {exception_value}"))

    def _watch(self, folder: Path) -> None:
        watch = FolderWatch(folder)
        while self.actor_ref.is_alive():
            if watch.wait(WATCH_S) is not None:
                with suppress(pykka.ActorDeadError):
                    self.actor_ref.tell(FilesChanged())
        watch.close()

    def _file(self, path: Path) -> TailedFile:
        key = f"{path.parent.name}/{path.name}"
        if key not in self._files:
            self._files[key] = TailedFile(path, self._saved.get(key) or Position())
        return self._files[key]

    def _connect(self, agent: str) -> int:
        number = self._conns.get(agent)
        if number is None:
            ids = set()
            for line in tail_of(self._in_file(agent), TAIL_BYTES).split(b"\n"):
                if b'"ACK"' in line:
                    try:
                        ids.add(str(msgspec.json.decode(line)["payload"]["ack_for_event_id"]))
                    except (msgspec.MsgspecError, KeyError, TypeError):
                        continue
            self._answered[agent] = ids
            number = self._conns[agent] = self._attach(agent, lambda body: self._hear(agent, body))
            self._submit(RelayInbound(agent, number, []))
        return number

    def _hear(self, agent: str, body: bytes) -> None:
        """On the hub's thread. What a dead one was told waits in the mailbox, or is asked for again."""
        with suppress(pykka.ActorDeadError):
            self.actor_ref.tell(RelayAnswer(agent, body))

    def _in_file(self, agent: str) -> Path:
        return self._queues / f"{agent}_in.txt"

    def _read(self) -> None:
        while len(self._unanswered) < MAX_UNANSWERED and (lines := self._lines(self._inbound)):
            self._take(lines)
        logs = [(path, agent) for path in sorted(self._logs.glob("*.log")) if (agent := log_agent(path.name))]
        for path, agent in logs[:MAX_LOGS]:
            self._read_log(agent, self._file(path))
        if len(logs) > MAX_LOGS:
            self._complain(self._logs, f"{len(logs)} logs: only the first {MAX_LOGS} by name are followed")
        self._save()

    def _lines(self, file: TailedFile) -> list[Line]:
        """What is new in a file. One that cannot be read is left alone, and said so once."""
        try:
            return file.read()
        except OSError as error:
            self._complain(file.path, error.strerror or str(error))
            return []

    def _complain(self, path: Path, error: str) -> None:
        if self._complaints.get(path) != error:
            self._complaints[path] = error
            self._log("relay_unread", file=str(path), error=error)

    def _take(self, lines: list[Line]) -> None:
        batches: dict[str, list[tuple[Event, bytes]]] = {}
        stamp = iso_from_ms(time.time_ns() // 1_000_000)
        for line in lines:
            if not line.data.strip():
                continue
            try:
                event = event_of(line.data, self._place(self._inbound, line), stamp)
            except BadLine as error:
                self._skip(self._inbound, line, error)
                continue
            self._connect(event.source)
            if event.id in self._answered[event.source]:
                continue
            if event.requires_ack:
                self._unanswered[(event.source, event.id)] = (event, line.offset)
            batches.setdefault(event.source, []).append((event, encode_json(event)))
        for agent, events in batches.items():
            self._submit(RelayInbound(agent, self._conns[agent], events))

    def _read_log(self, agent: str, file: TailedFile) -> None:
        events = []
        known = frozenset(self._conns) | {ev.ALL}
        for line in self._lines(file):
            try:
                event = message_of(line.data, agent, self._place(file, line), known)
            except BadLine as error:
                self._skip(file, line, error)
                continue
            if event is not None:
                events.append((event, encode_json(event)))
        file.done_to(file.read_to)
        if events:
            self._submit(RelayInbound(agent, self._connect(agent), events))

    def _place(self, file: TailedFile, line: Line) -> str:
        return f"relay-{file.path.stem[:60]}-{file.position.inode:x}-{line.offset:x}"

    def _skip(self, file: TailedFile, line: Line, error: BadLine) -> None:
        self._log("relay_bad_line", file=str(file.path), offset=line.offset, error=str(error))

    def _deliver(self, agent: str, body: bytes) -> None:
        """An answer, or a mailbox event, which is confirmed once it stands in the file."""
        event = decode_strict(body)
        is_answer = event["event_type"] == ev.ACK and event["source"] == ev.COORDINATOR
        asked = event["payload"].get("ack_for_event_id") if is_answer else None
        if asked is not None and asked in self._answered.get(agent, ()):
            self._unanswered.pop((agent, asked), None)
            return
        try:
            append_lines(self._in_file(agent), [body])
        except OSError as error:
            self._log("relay_write_failed", file=str(self._in_file(agent)), error=str(error))
            return
        if asked is not None:
            self._unanswered.pop((agent, asked), None)
            self._answered.setdefault(agent, set()).add(asked)
            if len(self._unanswered) == MAX_UNANSWERED // 2:
                self.actor_ref.tell(FilesChanged())
        else:
            stamp = iso_from_ms(time.time_ns() // 1_000_000)
            confirm = Event(f"rc-{event['id']}"[:128], stamp, agent, ev.COORDINATOR, ev.ACK, None, "normal",
                            {"ack_for_event_id": event["id"]}, False)  # fmt: skip
            self._submit(RelayInbound(agent, self._conns[agent], [(confirm, encode_json(confirm))]))
        if not self._unanswered:
            self._save()

    def _resubmit(self) -> None:
        """The coordinator has started over: what it had not answered is asked again, with the same ids."""
        for agent, number in self._conns.items():
            events = [
                (event, encode_json(event)) for (source, _), (event, _) in self._unanswered.items() if source == agent
            ]
            self._submit(RelayInbound(agent, number, events))

    def _save(self) -> None:
        first = min((offset for _, offset in self._unanswered.values()), default=self._inbound.read_to)
        self._inbound.done_to(first)
        positions = encode_json({key: msgspec.to_builtins(file.position) for key, file in self._files.items()})
        if positions != self._last_position:
            try:
                replace_file(self._positions_path, [positions, b"\n"], durable=False)
                self._last_position = positions
            except OSError as error:
                self._log("relay_write_failed", file=str(self._positions_path), error=str(error))


def _is_agent(name: str) -> bool:
    return log_agent(f"{name}.log") is not None
