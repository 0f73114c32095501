"""The hub: every connection of the tree in one selector. Frames in, frames out; decides nothing.

One thread polls; any thread may send. Everything is bounded: a frame, what is read from one connection in a
turn, what waits to be written to one, and the number of connections.
"""

import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable

from kortana.transport.connection import READ_BYTES, Admission, Connection, Gone, Inbound
from kortana.transport.peer import peer_of
from kortana.transport.sinks import Sinks
from kortana.transport.turns import Turns
from kortana.transport.waker import Waker

MAX_UNSENT_BYTES = 4 << 20
MAX_CONNECTIONS, MAX_OF_ONE_AGENT = 4096, 256
ROOM_FOR_PEOPLE = 16
"""Connections beyond the most, for operators and supervised workers, whatever guests have forgotten to close."""


class Hub:
    """Owns the listening socket and the connections. Outlives the coordinator that reads from it."""

    def __init__(self, listener: socket.socket, most: int = MAX_CONNECTIONS) -> None:
        """most: connections, where the system does not allow MAX_CONNECTIONS."""
        self._listener = listener
        self._most = max(1, min(most, MAX_CONNECTIONS))
        self._selector = selectors.DefaultSelector()
        self._waker = Waker()
        self.wake = self._waker.wake
        """Makes a `poll` that waits, or the next one, return at once. Any thread."""
        self._connections: dict[int, Connection] = {}
        self._receivers: dict[str, dict[int, Connection]] = {}
        self._by_agent: dict[str, dict[int, Connection]] = {}
        self._lock = threading.Lock()
        self._want_write: list[Connection] = []
        self._broken: list[Connection] = []
        self._numbers = 0
        self._turns = Turns()
        self._strangers: dict[int, Connection] = {}
        """Connections that have not said who they are, oldest first."""
        self._unwelcomed: dict[int, Connection] = {}
        """Receivers whose HELLO has not been answered yet."""
        self._sinks = Sinks()
        self.looked_at = 0.0
        """Before this moment (monotonic) everything that had come in has been given out by `poll`."""
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self.watch(self._waker.fd, self._waker.drain)

    @property
    def is_crowded(self) -> bool:
        """Somebody floods, and others speak too."""
        return self._turns.is_crowded

    def watch(self, file: socket.socket | int, on_readable: Callable[[], object]) -> None:
        """A `poll` that reads also ends when this file is readable, after `on_readable`. Before the first poll only."""
        self._selector.register(file, selectors.EVENT_READ, on_readable)

    def poll(self, timeout_s: float | None, read: bool = True, brief: bool = False) -> list[Inbound]:
        """Waits for something to happen and gives what came in; None waits without end.

        brief: others wait for the end of the turn that this begins.
        With `read` false only waits for `wake` (bounded by `timeout_s`): the back pressure of a full journal.
        """
        if not read:
            self._waker.wait(timeout_s)
            return []
        inbound: list[Inbound] = []
        if self._want_write or self._broken or self._turns.behind:
            timeout_s = 0.0  # told while there was no reading: its wake has been taken in
        began = time.monotonic()
        more = False
        speaking: list[Connection] = []
        events = self._selector.select(timeout_s)
        if not events and timeout_s:  # a process that was stopped meanwhile finds its time over, and has not looked
            events = self._selector.select(0.0)
        for key, mask in events:
            connection = key.data
            if type(connection) is not Connection:
                connection()
                more = more or key.fileobj is self._listener
                continue
            if mask & selectors.EVENT_WRITE:
                self._flush(connection)
            if mask & selectors.EVENT_READ and connection.id not in self._turns.behind:
                more = self._read(connection, inbound) or more
                speaking.append(connection)
        self._turns.give(speaking, inbound, brief)
        if not more and not self._turns.behind:
            self.looked_at = began if timeout_s == 0.0 or inbound else time.monotonic()
        if self._want_write or self._broken:
            self._settle(inbound)
        return inbound

    def admit(self, connection: Connection, agent: str, admission: Admission) -> None:
        """Binds a connection to the identity that its HELLO has proved."""
        connection.agent, connection.role, connection.tied = agent, admission.role, admission.tied
        connection.incarnation, connection.receive = admission.incarnation, admission.receive
        with self._lock:
            self._strangers.pop(connection.id, None)
            self._by_agent.setdefault(agent, {})[connection.id] = connection
            if admission.receive:
                self._unwelcomed[connection.id] = connection

    def attach(self, agent: str, sink: Callable[[bytes], None]) -> int:
        """A connection without a socket: what is sent on it, or delivered to the agent, goes to the sink."""
        with self._lock:
            return self._sinks.add(agent, sink)

    def has_room_for(self, agent: str, admission: Admission) -> bool:
        """Whether it may be admitted: nobody takes all the room there is."""
        if admission.role != "agent":
            return True
        is_guest = admission.incarnation is None
        return self.connections_of(agent) < MAX_OF_ONE_AGENT and not (is_guest and len(self._connections) > self._most)

    def connections_of(self, agent: str) -> int:
        return len(self._by_agent.get(agent, ()))

    def send(self, replies: Iterable[tuple[int, bytes]], deliveries: Iterable[tuple[str, bytes]] = ()) -> None:
        """Sends bodies to connections, and to whoever receives for an agent. Any thread; never blocks.

        Who is only told of a decision comes before those who are answered: whoever has an answer knows that the others
        have heard. An empty body closes its connection once all before it has been written.
        """
        with self._lock:
            outgoing: dict[int, list[bytes]] = {}
            told: dict[int, list[bytes]] = {}
            for number, body in replies:
                outgoing.setdefault(number, []).append(body)
                if self._unwelcomed:
                    self._welcome(number)
            for agent, body in deliveries:
                for number in (*self._receivers.get(agent, ()), *self._sinks.of(agent)):
                    (outgoing if number in outgoing else told).setdefault(number, []).append(body)
            for number, bodies in (*told.items(), *outgoing.items()):
                self._send_on(number, bodies)

    def _send_on(self, number: int, bodies: list[bytes]) -> None:
        connection = self._connections.get(number)
        if connection is None:
            return self._sinks.give(number, bodies)
        if bodies[-1] == b"":
            connection.ended = True
            bodies.pop()
        if bodies:
            self._write(connection, b"\n".join(bodies) + b"\n")
        if connection.ended and not connection.unsent:
            self._give_up(connection)
        return None

    def _welcome(self, number: int) -> None:
        """The first answer on a connection is that to its HELLO: deliveries come after it, and not before."""
        connection = self._unwelcomed.pop(number, None)
        if connection is not None and connection.id in self._connections:
            self._receivers.setdefault(connection.agent or "", {})[number] = connection

    def cut_all(self) -> None:
        """Closes every connection, so that its owner connects anew and repeats what was not answered; but not where a
        command is being carried out, which is answered all the same, and is not to be carried out twice."""
        with self._lock:
            self._broken += [c for c in self._connections.values() if not c.commands]
        self.wake()

    def begin_command(self, connection: Connection) -> None:
        """Another thread carries it out, and gives its answer to `end_command`."""
        with self._lock:
            connection.commands += 1

    def end_command(self, number: int, body: bytes) -> None:
        """Any thread. Nobody wants to know where the connection has ended meanwhile."""
        with self._lock:
            connection = self._connections.get(number)
            if connection is not None:
                connection.commands -= 1
        self.send([(number, body)])

    def cut_guests(self, agent: str) -> None:
        """Closes an agent's connections, but for those of an incarnation of a worker."""
        with self._lock:
            self._broken += [c for c in self._by_agent.get(agent, {}).values() if c.incarnation is None]
        self.wake()

    def close(self) -> None:
        """Ends the hub and every connection."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._listener.close()
        self._waker.close()
        self._selector.close()

    def _accept(self) -> None:
        for _ in range(64):
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if len(self._connections) >= self._most + ROOM_FOR_PEOPLE and not self._drop_stranger():
                sock.close()
                continue
            sock.setblocking(False)
            self._numbers += 1
            connection = Connection(self._numbers, sock, peer_of(sock))
            self._connections[connection.id] = self._strangers[connection.id] = connection
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _drop_stranger(self) -> bool:
        """Makes room: who has been here longest without a HELLO goes."""
        oldest = next(iter(self._strangers.values()), None)
        if oldest is not None:
            self._drop(oldest)
        return oldest is not None

    def _read(self, connection: Connection, inbound: list[Inbound]) -> bool:
        """Reads once; True where more may be waiting."""
        if connection.closing or connection.id not in self._connections:
            return False
        size = connection.read()
        if size == 0:
            self._drop(connection)
            if connection.agent is not None:
                inbound.append(Gone(connection))
        return size == READ_BYTES

    def _write(self, connection: Connection, data: bytes) -> None:
        """Under the lock."""
        if connection.unsent:
            connection.unsent += data
            if len(connection.unsent) > MAX_UNSENT_BYTES:
                self._give_up(connection)
            return
        try:
            sent = connection.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return self._give_up(connection)
        if sent < len(data):
            connection.unsent += data[sent:]
            self._want_write.append(connection)
            self.wake()

    def _give_up(self, connection: Connection) -> None:
        self._broken.append(connection)
        self.wake()

    def _flush(self, connection: Connection) -> None:
        with self._lock:
            try:
                sent = connection.sock.send(connection.unsent) if connection.unsent else 0
                del connection.unsent[:sent]
            except BlockingIOError:
                return
            except OSError:
                self._broken.append(connection)
                return
            if not connection.unsent:
                if connection.ended:
                    self._broken.append(connection)
                else:
                    self._selector.modify(connection.sock, selectors.EVENT_READ, connection)

    def _settle(self, inbound: list[Inbound]) -> None:
        with self._lock:
            want_write, self._want_write = self._want_write, []
            broken, self._broken = self._broken, []
        for connection in want_write:
            if connection.id in self._connections:
                both = selectors.EVENT_READ | selectors.EVENT_WRITE
                self._selector.modify(connection.sock, both, connection)
        for connection in broken:
            if connection.id in self._connections:
                self._drop(connection)
                if connection.agent is not None:
                    inbound.append(Gone(connection))

    def _drop(self, connection: Connection) -> None:
        with self._lock:
            self._connections.pop(connection.id, None)
            self._strangers.pop(connection.id, None)
            self._turns.forget(connection)
            self._unwelcomed.pop(connection.id, None)
            for index in (self._receivers, self._by_agent):
                group = index.get(connection.agent or "")
                if group is not None:
                    group.pop(connection.id, None)
                    if not group:
                        del index[connection.agent or ""]
        try:
            self._selector.unregister(connection.sock)
        except KeyError:
            pass
        connection.sock.close()
