"""The hub and its client over real sockets, without a coordinator: a thread that answers."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kortana.protocol.codec import encode_json
from kortana.protocol.event import Event
from kortana.transport.client import Client
from kortana.transport.connection import Admission, BadFrame, Frame, Gone
from kortana.transport.dialing import KortanaUnavailable, Refused
from kortana.transport.endpoint import listen
from kortana.transport.hub import MAX_UNSENT_BYTES, Hub
from kortana.transport.outgoing import Hello, make_event


def ack(event: Event, accepted: bool = True, reason: str = "") -> bytes:
    payload = {"ack_for_event_id": event.id, "accepted": accepted, "reason": reason, "seq": 1, "result": {}}
    return encode_json(make_event("coordinator", "ACK", event.source, payload=payload))


class Server:
    """Polls a hub and answers with `answer` (None: says nothing). Keeps what came in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[Event] = []
        self.bad: list[BadFrame] = []
        self.gone = 0
        self.answer: Callable[[Event], bytes | None] = ack
        self._ended = False
        self.hub = Hub(listen(path))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended:
            for item in self.hub.poll(None):
                match item:
                    case Frame(conn=conn, event=event):
                        if event.event_type == "HELLO":
                            self.hub.admit(conn, event.source, Admission("agent", True, False, None, 0))
                        self.seen.append(event)
                        body = self.answer(event)
                        if body is not None:
                            self.hub.send([(conn.id, body)])
                    case BadFrame():
                        self.bad.append(item)
                        self.hub.send([(item.conn.id, b"sorry"), (item.conn.id, b"")])
                    case Gone():
                        self.gone += 1

    def close(self) -> None:
        self._ended = True
        self.hub.wake()
        self._thread.join(30)
        self.hub.close()
        self.path.unlink(missing_ok=True)

    def events(self, kind: str) -> list[Event]:
        return [event for event in self.seen if event.event_type == kind]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "s")
    yield made
    made.close()


def client_of(path: Path, name: str = "a", patience_s: float = 30.0) -> Client:
    return Client(lambda: str(path) if path.exists() else None, Hello(name), patience_s)


def hub_with_one_connection(folder: Path) -> tuple[Hub, socket.socket]:
    hub = Hub(listen(folder / "s"))
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(str(folder / "s"))
    hub.poll(5.0)
    return hub, sock


def test_a_cut_while_nothing_is_read_is_not_forgotten(tmp_path: Path) -> None:
    """The wake that a cut sends may be taken in by a poll that does not read."""
    hub, sock = hub_with_one_connection(tmp_path)
    hub.cut_all()
    hub.poll(5.0, read=False)
    hub.poll(5.0)
    assert sock.recv(10) == b""
    hub.close()


def test_a_cut_of_guests_spares_the_worker_of_that_name(tmp_path: Path) -> None:
    hub = Hub(listen(tmp_path / "s"))
    sockets = {}
    for incarnation in (None, 1):
        sockets[incarnation] = socket.socket(socket.AF_UNIX)
        sockets[incarnation].connect(str(tmp_path / "s"))
        hub.poll(5.0)
        connection = list(hub._connections.values())[-1]
        hub.admit(connection, "w", Admission("agent", True, False, incarnation, 0))
    hub.cut_guests("w")
    (gone,) = hub.poll(5.0)
    assert isinstance(gone, Gone) and gone.conn.incarnation is None
    assert hub.connections_of("w") == 1 and sockets[None].recv(1) == b""
    hub.close()


def test_a_cut_spares_who_waits_for_a_command_that_is_carried_out_until_it_has_its_answer(tmp_path: Path) -> None:
    hub, sock = hub_with_one_connection(tmp_path)
    (connection,) = hub._connections.values()
    hub.begin_command(connection)
    hub.cut_all()
    hub.poll(5.0)
    hub.end_command(connection.id, b"done")
    assert sock.recv(10) == b"done\n"
    hub.cut_all()
    hub.poll(5.0)
    hub.poll(5.0)
    assert sock.recv(10) == b""
    hub.end_command(connection.id, b"too late")
    hub.close()


def test_many_threads_share_one_client(server: Server) -> None:
    client = client_of(server.path)
    wrong: list[object] = []

    def ask() -> None:
        for _ in range(50):
            event = make_event("a", "INFO")
            if client.request(event)["ack_for_event_id"] != event.id:
                wrong.append(event)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and len(server.events("INFO")) == 400 and client.connections == 1


def test_what_was_not_answered_is_sent_again_with_the_same_id_after_a_restart(tmp_path: Path) -> None:
    first = Server(tmp_path / "s")
    first.answer = lambda event: ack(event) if event.event_type == "HELLO" else None
    client = client_of(first.path)
    event = make_event("a", "TASK_CLAIM", task_id="t")
    client.begin([event])
    second: list[Server] = []

    def restart() -> None:
        first.close()
        second.append(Server(tmp_path / "s"))

    swap = threading.Thread(target=restart)
    swap.start()
    assert client.finish(event)["accepted"]
    swap.join(30)
    assert [e.id for e in second[0].events("TASK_CLAIM")] == [event.id]
    assert client.connections == 2
    second[0].close()


def test_nobody_listens_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(KortanaUnavailable, match="kortana up"):
        client_of(tmp_path / "nothing", patience_s=0.0).connect()


def test_what_was_given_up_is_not_sent_later_on(tmp_path: Path) -> None:
    """Whoever was told that nobody is there must not find out later that it was done all the same."""
    client = client_of(tmp_path / "s", patience_s=0.05)
    with pytest.raises(KortanaUnavailable):
        client.request(make_event("a", "TASK_CLAIM", task_id="t"))
    server = Server(tmp_path / "s")
    client.request(make_event("a", "INFO"))
    assert [event.event_type for event in server.seen] == ["HELLO", "INFO"]
    client.close()
    server.close()


def test_what_needs_no_answer_is_sent_too_where_others_wait_for_theirs(tmp_path: Path) -> None:
    """After a restart: what waits for answers is repeated, and what comes then is not forgotten over it."""
    server = Server(tmp_path / "s")
    server.answer = lambda event: None if event.event_type == "TASK_CLAIM" else ack(event)
    client = client_of(tmp_path / "s")
    client.begin([make_event("a", "TASK_CLAIM")])
    server.close()
    server = Server(tmp_path / "s")
    server.answer = lambda event: None if event.event_type == "TASK_CLAIM" else ack(event)
    client.close()
    client.post(make_event("a", "INFO", requires_ack=False))
    client.request(make_event("a", "HEARTBEAT"))
    assert [event.event_type for event in server.seen] == ["HELLO", "TASK_CLAIM", "INFO", "HEARTBEAT"]
    client.close()
    server.close()


def test_a_refused_hello_is_told_with_its_reason(server: Server) -> None:
    server.answer = lambda event: ack(event, False, "forbidden")
    with pytest.raises(Refused, match="forbidden"):
        client_of(server.path).connect()


def test_an_answer_that_does_not_come_is_a_timeout_and_the_connection_stays(server: Server) -> None:
    server.answer = lambda event: None if event.event_type == "BLOCKER" else ack(event)
    client = client_of(server.path)
    with pytest.raises(TimeoutError):
        client.request(make_event("a", "BLOCKER"), timeout_s=0.05)
    assert client.request(make_event("a", "INFO"))["accepted"] and client.connections == 1


def test_deliveries_reach_every_connection_that_receives(server: Server) -> None:
    clients = [client_of(server.path) for _ in range(2)]
    for client in clients:
        client.connect()
    server.hub.send([], [("a", encode_json(make_event("b", "INFO", "a", payload={"n": 1})))])
    assert [client.receive(30.0).payload for client in clients] == [{"n": 1}] * 2  # type: ignore[union-attr]
    assert clients[0].receive(0.01) is None


def test_whoever_has_an_answer_knows_that_the_others_have_heard(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [client_of(server.path, name) for name in ("a", "b")]
    for client in clients:
        client.connect()
    [a, b] = [next(iter(server.hub._by_agent[name].values())) for name in ("a", "b")]
    written: list[tuple[str | None, bytes]] = []
    monkeypatch.setattr(server.hub, "_write", lambda connection, data: written.append((connection.agent, data)))
    server.hub.send([(a.id, b"answer")], [("a", b"directive"), ("b", b"directive")])
    assert written == [("b", b"directive\n"), ("a", b"answer\ndirective\n")] and b.id != a.id


def test_a_frame_that_is_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    client = client_of(server.path)
    with pytest.raises(ValueError, match="at most"):
        client.request(make_event("a", "INFO", payload={"x": "y" * 70_000}))
    assert client.request(make_event("a", "INFO"))["accepted"]


def raw(server: Server) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(str(server.path))
    return sock


def test_frames_may_come_in_any_pieces(server: Server) -> None:
    sock = raw(server)
    for byte in encode_json(make_event("a", "HELLO")) + b"\n":
        sock.sendall(bytes([byte]))
    assert b'"accepted":true' in sock.recv(65536)


def test_a_bad_frame_ends_its_connection_after_the_answer(server: Server) -> None:
    sock = raw(server)
    sock.sendall(b"what?\n" + encode_json(make_event("a", "HELLO")) + b"\n")
    assert sock.recv(100) == b"sorry\n"
    assert sock.recv(100) == b""
    assert len(server.bad) == 1 and server.seen == []


def test_an_endless_line_ends_at_its_bound(server: Server) -> None:
    sock = raw(server)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(1000):
            sock.sendall(b"x" * 65536)
    assert len(server.bad) == 1


def test_who_never_reads_is_cut_off_at_its_bound_and_others_go_on(server: Server) -> None:
    deaf = raw(server)
    deaf.sendall(encode_json(make_event("deaf", "HELLO")) + b"\n")
    lively = client_of(server.path)
    lively.connect()
    body = encode_json(make_event("b", "INFO", "deaf", payload={"x": "y" * 60_000}))
    for _ in range(2 * MAX_UNSENT_BYTES // len(body)):
        server.hub.send([], [("deaf", body)])
    assert lively.request(make_event("a", "INFO"))["accepted"]
    while deaf.recv(1 << 20):
        pass
    assert lively.request(make_event("a", "INFO"))["accepted"]
    assert server.gone == 1 and lively.connections == 1


def test_a_delivery_never_overtakes_the_answer_to_hello(server: Server) -> None:
    """One that was decided before stands in the mailbox, which the answer to HELLO brings along."""
    early = encode_json(make_event("coordinator", "INFO", "a", payload={"text": "early"}))
    late = encode_json(make_event("coordinator", "INFO", "a", payload={"text": "late"}))

    def answer(event: Event) -> bytes:
        server.hub.send([], [("a", early)])
        return ack(event)

    server.answer = answer
    client = client_of(server.path)
    client.connect()
    server.hub.send([], [("a", late)])
    event = client.receive(30)
    assert event is not None and event.payload["text"] == "late"
    client.close()


@pytest.mark.timeout(60)
def test_a_forked_process_speaks_on_a_connection_of_its_own(server: Server) -> None:
    """multiprocessing's Pool in a worker: on one connection each would read the other's answers."""
    client = client_of(server.path)
    client.request(make_event("a", "INFO"))
    waiting = threading.Thread(target=lambda: client.receive(30), daemon=True)
    waiting.start()
    pid = os.fork()
    if pid == 0:
        try:
            for _ in range(20):
                client.request(make_event("a", "INFO"), timeout_s=20)
            os._exit(7)
        finally:
            os._exit(1)
    for _ in range(20):
        assert client.request(make_event("a", "INFO"), timeout_s=20)["accepted"]
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert client.connections == 1
    server.hub.send([], [("a", encode_json(make_event("b", "INFO", "a")))])
    waiting.join(60)
    assert not waiting.is_alive()
