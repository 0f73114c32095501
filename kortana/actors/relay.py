"""The relay actor: the legacy file mailboxes as agents like any other (CONTRACT section 7)."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pykka

from kortana.actors.messages import FilesChanged, RelayAnswer, RelayDied, RelayInbound, RelayResubmit
from kortana.adapters.relay.followed import FollowedFiles
from kortana.adapters.relay.lines import BadLine, confirmation_of, event_of, log_agent, message_of
from kortana.adapters.relay.tail import Line, TailedFile, append_lines, end_of, tail_of
from kortana.adapters.relay.unanswered import Answered, Asked, Unanswered
from kortana.processes.watch import FolderWatch
from kortana.protocol import event as ev
from kortana.protocol import reasons
from kortana.protocol.codec import decode_strict, encode_json
from kortana.protocol.event import Event
from kortana.protocol.names import is_agent_name
from kortana.protocol.timestamps import iso_from_ms

MAX_UNANSWERED = 2_000
MAX_OF_UNWRITABLE = 500
"""Of an agent whose file cannot be written to; more would be in the others' way."""
MAX_LOGS = 256
WATCH_S = 5.0
"""So long a watch of an actor that has died goes on at most; and then what could not be written is tried again."""
TAIL_BYTES = 8 << 20
"""How far back in an agent's file answers are looked for after a restart."""


class RelayActor(pykka.ThreadingActor):
    """Reads queues/coordinator_in.txt and logs/*.log, and appends answers and deliveries to queues/X_in.txt.

    attach: makes an agent's connection that hands bodies to a sink, and gives its number. submit: tells the
    coordinator. knows: whether there is an agent of that name, wherever it is. A position moves on only past what has
    been answered, so that a crash repeats, never loses; what was answered before is known by the answers in the file.
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
        knows: Callable[[str], bool],
    ) -> None:
        super().__init__()
        self._queues, self._logs = root / "queues", root / "logs"
        self._positions_path, self._attach, self._submit, self._log = positions, attach, submit, log
        self._supervisor, self._knows_elsewhere = supervisor, knows
        self._conns: dict[str, int] = {}
        self._unanswered = Unanswered()
        self._answered: dict[str, Answered] = {}
        self._unwritable: dict[str, float] = {}
        """Agent → when its file is tried again."""
        self._turn = 0
        self._has_more = False
        self._is_told = False
        """That there is something to be read."""
        self._is_caught_up = False
        """All that a former run may have read has been read anew."""
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
        self._files = FollowedFiles(self._positions_path)
        self._inbound = self._files.file(self._queues / "coordinator_in.txt")
        self._began_at = end_of(self._inbound.path)
        for path in sorted(self._queues.glob("*_in.txt")):
            agent = path.name.removesuffix("_in.txt")
            if is_agent_name(agent):
                self._connect(agent)
        for folder in (self._queues, self._logs):
            threading.Thread(target=self._watch, args=(folder,), name="relay-watch", daemon=True).start()
        self._look()

    def on_receive(self, message: Any) -> Any:
        match message:
            case FilesChanged():
                self._read()
            case RelayAnswer(agent=agent, body=body):
                self._deliver(agent, body)
            case RelayResubmit():  # the coordinator has started over
                for agent in self._conns:
                    self._start_over(agent)
        return True

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._supervisor.tell(RelayDied(f"{exception_type.__name__}: {exception_value}"))

    def _watch(self, folder: Path) -> None:
        watch = FolderWatch(folder)
        while self.actor_ref.is_alive():
            changed = watch.wait(WATCH_S)
            if changed:  # there may be a new name
                self._files.notice(folder, watch.take_renames())
            if changed is not None or self._unwritable:
                self._look()
        watch.close()

    def _look(self) -> None:
        """Any thread. Once is enough, however often something is written meanwhile."""
        if not self._is_told:
            self._is_told = True
            with suppress(pykka.ActorDeadError):
                self.actor_ref.tell(FilesChanged())

    def _connect(self, agent: str) -> int:
        number = self._conns.get(agent)
        if number is None:
            self._answered[agent] = Answered(b"" if self._is_caught_up else tail_of(self._in_file(agent), TAIL_BYTES))
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
        """Of each file what there is, at most 1 MiB; then of each again. Who comes first changes."""
        self._is_told = self._has_more = False
        self._try_again()
        files = [("", self._inbound), *self._followed()]
        self._turn = (self._turn + 1) % len(files)
        for agent, file in files[self._turn :] + files[: self._turn]:
            if len(self._unanswered) >= MAX_UNANSWERED:
                self._has_more = True
            elif lines := self._lines(file):
                self._take(lines) if file is self._inbound else self._take_said(agent, file, lines)
                self._look()
        if not self._is_caught_up and self._inbound.has_read(self._began_at):
            self._is_caught_up = True
            for answered in self._answered.values():
                answered.forget_former()
        self._save()

    def _followed(self) -> list[tuple[str, TailedFile]]:
        """Agents and their outgoing logs."""
        logs = [(path, agent) for path in sorted(self._logs.glob("*.log")) if (agent := log_agent(path.name))]
        if len(logs) > MAX_LOGS:
            self._complain(self._logs, f"{len(logs)} logs: only the first {MAX_LOGS} by name are followed")
        return [(agent, self._files.file(path)) for path, agent in logs[:MAX_LOGS]]

    def _lines(self, file: TailedFile) -> list[Line]:
        """What is new in a file. One that cannot be read is left alone, and said so once."""
        try:
            lines = file.read(lambda: not self._unanswered.has_any_of(file))
        except OSError as error:
            self._complain(file.path, error.strerror or str(error))
            return []
        self._has_more |= file.waits
        return lines

    def _complain(self, path: Path, error: str, event: str = "relay_unread") -> None:
        if self._complaints.get(path) != error:
            self._complaints[path] = error
            self._log(event, file=str(path), error=error)

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
            if self._answered[event.source].by_former(event.id) and not self._is_beyond_beginning(line):
                continue
            body = encode_json(event)
            if event.requires_ack:
                self._ask(event, body, self._inbound, line, is_told=True)
            batches.setdefault(event.source, []).append((event, body))
        for agent in batches.keys() & self._unwritable.keys():
            self._unanswered.keep(agent, MAX_OF_UNWRITABLE)
        for agent, events in batches.items():
            self._submit(RelayInbound(agent, self._conns[agent], events))

    def _is_beyond_beginning(self, line: Line) -> bool:
        """Whether it has come since this run began."""
        return self._inbound.position.inode == self._began_at.inode and line.offset >= self._began_at.offset

    def _ask(self, event: Event, body: bytes, file: TailedFile, line: Line, is_told: bool) -> None:
        self._unanswered.add(Asked(event, body, file, file.position.generation, line.offset, is_told))

    def _take_said(self, agent: str, file: TailedFile, lines: list[Line]) -> None:
        events = []
        for line in lines:
            try:
                event = message_of(line.data, agent, self._place(file, line), self._knows)
            except BadLine as error:
                self._skip(file, line, error)
                continue
            if event is not None:
                if event.target not in (ev.ALL, ev.OPERATOR) and not self._knows(event.target):
                    self._connect(event.target)  # it has not spoken yet: its file waits for it
                body = encode_json(event)
                self._ask(event, body, file, line, is_told=False)
                events.append((event, body))
        if events:
            self._submit(RelayInbound(agent, self._connect(agent), events))

    def _knows(self, agent: str) -> bool:
        return agent in self._conns or self._knows_elsewhere(agent)

    def _place(self, file: TailedFile, line: Line) -> str:
        position = file.position
        return f"relay-{file.path.stem[:60]}-{position.inode:x}.{position.generation:x}-{line.offset:x}"

    def _skip(self, file: TailedFile, line: Line, error: BadLine) -> None:
        self._log("relay_bad_line", file=str(file.path), offset=line.offset, error=str(error))

    def _deliver(self, agent: str, body: bytes) -> None:
        """An answer, or a mailbox event, which is confirmed once it stands in the file."""
        if agent in self._unwritable:
            return  # it is asked for again
        event = decode_strict(body)
        is_answer = event["event_type"] == ev.ACK and event["source"] == ev.COORDINATOR
        asked = event["payload"].get("ack_for_event_id") if is_answer else None
        if asked is not None:
            self._answer(agent, asked, event["payload"], body)
        elif self._append(agent, body):
            confirm = confirmation_of(event["id"], agent, iso_from_ms(time.time_ns() // 1_000_000))
            self._submit(RelayInbound(agent, self._conns[agent], [(confirm, encode_json(confirm))]))

    def _answer(self, agent: str, asked_id: str, payload: dict[str, Any], body: bytes) -> None:
        asked = self._unanswered.get(agent, asked_id)
        answered = self._answered[agent]
        if asked is not None and not asked.is_told:
            if payload.get("reason") == reasons.UNAVAILABLE:
                return  # it is submitted again
        elif asked is not None or asked_id not in answered:
            if not self._append(agent, body):
                return
            answered.add(asked_id)
        self._unanswered.discard(agent, asked_id)
        if self._has_more and len(self._unanswered) in (MAX_UNANSWERED // 2, 0):
            self._look()
        if not len(self._unanswered):
            self._save()

    def _append(self, agent: str, body: bytes) -> bool:
        path = self._in_file(agent)
        try:
            append_lines(path, [body])
        except OSError as error:
            self._complain(path, error.strerror or str(error), "relay_write_failed")
            self._unwritable[agent] = time.monotonic() + WATCH_S
            self._unanswered.keep(agent, MAX_OF_UNWRITABLE)
            if self._has_more:
                self._look()
            return False
        self._complaints.pop(path, None)
        return True

    def _try_again(self) -> None:
        """Whose file could not be written to gets its mail and its answers anew."""
        now = time.monotonic()
        for agent in [agent for agent, due in self._unwritable.items() if due <= now]:
            del self._unwritable[agent]
            self._start_over(agent)

    def _start_over(self, agent: str) -> None:
        """It gets its mail anew, and the coordinator what was not answered, with the same ids."""
        self._submit(RelayInbound(agent, self._conns[agent], []))
        events = [(asked.event, asked.body) for asked in self._unanswered.of(agent)]
        if events:
            self._submit(RelayInbound(agent, self._conns[agent], events))

    def _save(self) -> None:
        try:
            self._files.save(self._unanswered.firsts())
        except OSError as error:
            self._complain(self._positions_path, error.strerror or str(error), "relay_write_failed")
