"""Group commit with a sync that goes on behind: what is decided meanwhile waits, and nothing is let out too early."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pykka
import pytest
from pykka._envelope import Envelope

from kortana.actors.inboxes import HubInbox
from kortana.actors.messages import ChildDied, Commit, Flush, InboundReady, WriteSnapshot
from kortana.actors.persistence import MAX_WAITING, MAX_WAITING_IN_A_CROWD, PersistenceActor
from kortana.ports import JournalFault, Snapshot
from kortana.protocol.codec import encode_json
from kortana.protocol.event import Event, Record
from kortana.transport.hub import Hub
from tests.actors.fakes import Told

pytestmark = pytest.mark.timeout(60)


class SlowJournal:
    """A journal whose sync ends when the test says so, by making `done` readable."""

    def __init__(self) -> None:
        self.done, self._in = socket.socketpair()
        self.written: list[int] = []
        self.durable: list[int] = []
        self.fails = False
        self.waited = 0
        self.on_wait: Callable[[], None] = lambda: None
        self._ended = False

    def commit(self, lines: list[bytes], last_seq: int) -> None:
        self.written.append(last_seq)
        self.durable.append(last_seq)

    def begin(self, lines: list[bytes], last_seq: int) -> bool:
        self.written.append(last_seq)
        self._ended = False
        return True

    def finish_sync(self) -> None:
        self._in.send(b"\0")

    def notice(self) -> None:
        self.done.recv(1)
        self._ended = True

    def has_ended(self) -> bool:
        return self._ended

    def end(self) -> None:
        if not self._ended:
            self.waited += 1
            self.on_wait()
        if self.fails:
            raise JournalFault("sync: Input/output error")
        self.durable.append(self.written[-1])


class Stage:
    def __init__(self, folder: Path) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "s"))
        listener.listen()
        self.hub = Hub(listener)
        self.journal = SlowJournal()
        self.hub.watch(self.journal.done, self.journal.notice)
        self.inbox = HubInbox(self.hub)
        self.inbox.listening = True
        self.sent: list[int] = []
        self.supervisor = Told()
        attached = self.hub.attach("agent", lambda body: self.sent.append(int(body)))
        self.conn = attached
        self.writer = Told()
        self.ref = PersistenceActor.start(
            self.journal, self.hub, self.inbox, None, self.supervisor, 7, self.writer
        )
        self.seq = 0

    def tell(self) -> int:
        """A commit of one record whose answer is its number."""
        self.seq += 1
        event = Event(f"k{self.seq}", "", "coordinator", "a", "INFO", None, "normal", {}, False)
        record = Record(event, self.seq, "2026-01-01T00:00:00.000Z", encode_json(event), 0)
        self.ref.tell(Commit([record], [(self.conn, b"%d" % self.seq)], []))
        return self.seq

    def turn(self) -> None:
        """One turn of the coordinator's thread."""
        self.inbox.put(Envelope("turn"))
        assert self.inbox.get().message == "turn"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    if made.ref.is_alive():
        made.ref.stop(block=False)
        made.inbox.leave()


def test_while_a_group_is_synced_the_next_gathers_and_nothing_is_let_out(stage: Stage) -> None:
    stage.tell()
    stage.turn()
    assert stage.journal.written == [1] and stage.sent == []
    stage.tell()
    stage.tell()
    stage.turn()
    assert stage.journal.written == [1] and stage.sent == [], "the file is left alone while it is synced"
    stage.journal.finish_sync()
    threading.Timer(0.05, stage.inbox.put, args=(Envelope("turn"),)).start()
    assert stage.inbox.get().message == "turn"
    assert stage.sent == [1] and stage.journal.written == [1, 3], "the end of the sync alone makes it go on"
    stage.journal.finish_sync()
    threading.Timer(0.05, stage.inbox.put, args=(Envelope("turn"),)).start()
    assert stage.inbox.get().message == "turn"
    assert stage.sent == [1, 2, 3] and stage.journal.durable == [1, 3] and stage.journal.waited == 0


def test_sockets_are_read_while_a_group_is_synced(stage: Stage) -> None:
    stage.tell()
    client = socket.socket(socket.AF_UNIX)
    client.connect(stage.hub._listener.getsockname())
    client.sendall(b"not json\n")
    assert isinstance(stage.inbox.get().message, InboundReady)
    assert stage.journal.written == [1] and stage.journal.durable == []


def test_a_failed_sync_ends_the_actor_and_lets_nothing_out(stage: Stage) -> None:
    stage.tell()
    stage.turn()
    stage.tell()
    stage.journal.fails = True
    stage.journal.finish_sync()
    threading.Timer(0.05, stage.inbox.put, args=(Envelope("turn"),)).start()
    stage.inbox.get()
    assert not stage.ref.is_alive() and stage.sent == [] and stage.journal.written == [1]
    [died] = stage.supervisor.messages
    assert isinstance(died, ChildDied) and died.journal and died.generation == 7


def test_what_is_asked_meanwhile_is_answered_when_the_group_is_durable(stage: Stage) -> None:
    stage.tell()
    stage.turn()
    flushed = stage.ref.ask(Flush(), block=False)
    stage.turn()
    assert stage.sent == []
    stage.journal.finish_sync()
    threading.Timer(0.05, stage.inbox.put, args=(Envelope("turn"),)).start()
    stage.inbox.get()
    assert flushed.get(timeout=30) is True and stage.sent == [1]


def test_a_snapshot_is_written_only_once_what_it_shows_is_durable(stage: Stage) -> None:
    stage.tell()
    snapshot = WriteSnapshot(Snapshot(1, "", [], {}, None), Told())
    stage.ref.tell(snapshot)
    stage.turn()
    stage.turn()
    assert stage.journal.written == [1] and stage.writer.messages == []
    stage.journal.finish_sync()
    threading.Timer(0.05, stage.inbox.put, args=(Envelope("turn"),)).start()
    stage.inbox.get()
    assert stage.writer.messages == [snapshot] and stage.journal.durable == [1]


@pytest.mark.parametrize(("crowded", "most"), [(False, MAX_WAITING), (True, MAX_WAITING_IN_A_CROWD)])
def test_a_disk_that_hangs_stops_the_reading_once_enough_has_gathered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, crowded: bool, most: int
) -> None:
    monkeypatch.setattr(Hub, "is_crowded", crowded)
    stage.tell()
    stage.turn()
    for _ in range(most - 1):
        stage.tell()
        stage.turn()
    assert stage.journal.waited == 0
    stage.tell()
    stage.journal.on_wait = stage.journal.finish_sync
    stage.turn()
    assert stage.journal.waited == 1 and stage.sent == [1] and stage.journal.written == [1, most + 1]


def test_what_was_begun_is_waited_for_when_its_driver_has_ended(stage: Stage) -> None:
    stage.tell()
    stage.turn()
    stage.tell()
    thread = threading.Thread(target=stage.inbox.leave)
    thread.start()
    stage.ref.ask(Flush(), timeout=30)
    assert stage.sent == [1, 2] and stage.journal.durable == [1, 2]
    stage.ref.stop(timeout=30)
    thread.join(30)
    with pytest.raises(pykka.ActorDeadError):
        stage.ref.tell("too late")
