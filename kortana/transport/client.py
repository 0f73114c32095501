"""The client of a hub: requests and answers, a mailbox, and reconnection that repeats what was not answered.

Any number of threads may use one client. There is no thread of its own: whoever waits first reads for all.
"""

import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from kortana.protocol.codec import MAX_FRAME_BYTES, encode_json
from kortana.protocol.event import Event
from kortana.protocol.reasons import UNAVAILABLE
from kortana.transport.dialing import KortanaUnavailable, NotNow, Refused, dial
from kortana.transport.forks import watch_forks
from kortana.transport.mailbox import Mailbox
from kortana.transport.outgoing import Hello

RECONNECT_FIRST_S = 0.02
RECONNECT_MAX_S = 1.0
MAX_MAILBOX = 10_000
RECEIVE_SLICE_S = 5.0 if sys.platform == "linux" else float("inf")
"""The socket's own receive timeout: who waits for longer needs no call to `poll` before each `recv`."""
_decode = msgspec.json.Decoder(Event).decode


def _frame(event: Event) -> bytes:
    frame = encode_json(event) + b"\n"
    if len(frame) > MAX_FRAME_BYTES:
        raise ValueError(f"a {event.event_type} of {len(frame)} bytes; at most {MAX_FRAME_BYTES} can be sent")
    return frame


def _readable(sock: socket.socket, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(max(timeout_s * 1000, 0)))


class Client:
    """One identity at one socket.

    find_socket: gives the path of the socket, each time a connection is made. patience_s: how long a call
    goes on trying while nobody listens, as while Kortana restarts.
    """

    def __init__(self, find_socket: Callable[[], str | None], hello: Hello, patience_s: float = 30.0) -> None:
        self._find_socket = find_socket
        self._hello = hello
        self._patience_s = patience_s
        self._sock: socket.socket | None = None
        self._begin()
        watch_forks(self)
        self._refused: Refused | None = None
        self.welcome: dict[str, Any] = {}
        """The `result` of the last HELLO."""
        self.connections = 0

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._cond = threading.Condition(self._lock)
        self._rest = b""
        self._reading = False
        self._sleepers = 0
        """Threads that wait for another one's reading."""
        self._waiting: dict[str, Event] = {}
        """What was sent and has no answer yet: repeated at each connection."""
        self._answers: dict[str, dict[str, Any]] = {}
        self._inbox = Mailbox(MAX_MAILBOX)

    def after_fork(self) -> None:
        """The child makes a connection of its own; answers on the old one are its parent's."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        self._begin()

    def request(self, event: Event, timeout_s: float = 30.0) -> dict[str, Any]:
        """Sends an event that requires an ACK, and gives the ACK's payload.

        An event that cannot be decided just now (`unavailable`: the disk is full) is sent again for as long as
        the client has patience. Raises TimeoutError, KortanaUnavailable where nobody listens for that long, and
        Refused.
        """
        deadline = time.monotonic() + min(self._patience_s, timeout_s)
        while True:
            self.begin([event])
            answer = self.finish(event, timeout_s)
            if answer["reason"] != UNAVAILABLE or time.monotonic() + RECONNECT_MAX_S > deadline:
                return answer
            with self._lock:
                self._cond.wait(RECONNECT_MAX_S)

    def begin(self, events: list[Event]) -> None:
        """Sends events whose ACKs will be fetched with `finish`. Where it raises, they are not sent later on either."""
        frames = b"".join([_frame(event) for event in events])
        with self._lock:
            for event in events:
                self._waiting[event.id] = event
            try:
                self._send_locked(frames, waits=True)
            except BaseException:
                for event in events:
                    self._waiting.pop(event.id, None)
                raise

    def finish(self, event: Event, timeout_s: float = 30.0) -> dict[str, Any]:
        """The ACK's payload for an event that was begun."""
        event_id, answers = event.id, self._answers
        with self._lock:
            try:
                if event_id not in answers and not self._wait(
                    lambda: event_id in answers, time.monotonic() + timeout_s
                ):
                    raise TimeoutError(f"no answer to {event.event_type} within {timeout_s:g} s")
                return answers.pop(event_id)
            finally:
                self._waiting.pop(event_id, None)

    def post(self, event: Event) -> None:
        """Sends an event without waiting, anew where the connection has just broken; it may be lost where it breaks
        unnoticed."""
        self._send(_frame(event))

    def receive(self, timeout_s: float | None) -> Event | None:
        """The next event of the mailbox, or None when the time is over. None as timeout waits without end."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with self._lock:
            return self._inbox.take() if self._wait(lambda: bool(self._inbox), deadline) else None

    def waiting(self) -> int:
        """How many events of the mailbox have come and wait to be received."""
        with self._lock:
            if self._sock is not None and not self._reading and _readable(self._sock, 0.0):
                data = self._sock.recv(1 << 16)
                if data:
                    self._take(data)
            return len(self._inbox)

    def connect(self) -> None:
        """Makes sure that there is a connection. Raises KortanaUnavailable and Refused."""
        self._send(b"")

    def close(self) -> None:
        with self._lock:
            if self._sock is not None:
                self._sock.close()
                self._sock = None

    def _send(self, data: bytes) -> None:
        with self._lock:
            self._send_locked(data, waits=False)

    def _send_locked(self, data: bytes, waits: bool) -> None:
        """waits: it is in what waits for answers, and so is sent with each new connection."""
        if self._sock is None:
            self._reconnect(time.monotonic() + self._patience_s)
            if waits:
                return
        try:
            if data and self._sock is not None:
                self._sock.sendall(data)
        except OSError:
            self._reconnect(time.monotonic() + self._patience_s)
            if data and not waits and self._sock is not None:
                with suppress(OSError):
                    self._sock.sendall(data)

    def _wait(self, ready: Callable[[], bool], deadline: float | None) -> bool:
        """Under the lock. Waits until `ready`, reading for all where nobody does. False when the deadline has passed;
        even then what has come already is looked at once."""
        has_looked = False
        while not ready():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                if has_looked:
                    return False
                left = 0.0
            has_looked = True
            if self._reading:
                self._sleepers += 1
                self._cond.wait(left)
                self._sleepers -= 1
                continue
            self._reading = True
            try:
                self._read_for_all(deadline, left)
            finally:
                self._reading = False
                if self._sleepers:
                    self._cond.notify_all()
        return True

    def _read_for_all(self, deadline: float | None, left: float | None) -> None:
        """Under the lock, which is let go while the socket is waited for."""
        if self._sock is None:
            patience = time.monotonic() + self._patience_s
            self._reconnect(patience)
        sock = self._sock
        assert sock is not None
        self._lock.release()
        try:
            if left is not None and left < RECEIVE_SLICE_S and not _readable(sock, left):
                return
            data = sock.recv(1 << 16)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data = b""
        finally:
            self._lock.acquire()
        if sock is not self._sock:
            return
        if not data:
            self._sock.close()
            self._sock = None
            if deadline is not None and not self._waiting:
                return
            self._reconnect(time.monotonic() + self._patience_s)
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        waiting, answers = self._waiting, self._answers
        for line in lines:
            event = _decode(line)
            if event.event_type == "ACK" and event.source == "coordinator":
                asked = event.payload["ack_for_event_id"]
                if waiting.pop(asked, None) is not None:
                    answers[asked] = event.payload
            else:
                self._inbox.put(event)

    def _reconnect(self, deadline: float) -> None:
        """Connects, says HELLO, and repeats what has no answer yet. Under the lock."""
        pause = RECONNECT_FIRST_S
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        while True:
            try:
                self._open()
                return
            except (OSError, EOFError) as error:
                if isinstance(error, KortanaUnavailable) or time.monotonic() + pause > deadline:
                    nobody = "no running Kortana answers here; start it with `kortana up`"
                    raise KortanaUnavailable(str(error) if isinstance(error, NotNow) else nobody) from None
            self._cond.wait(pause)
            if self._sock is not None:
                return
            pause = min(pause * 2, RECONNECT_MAX_S)

    def _open(self) -> None:
        path = self._find_socket()
        if path is None:
            raise FileNotFoundError("no endpoint")
        sock, welcome, rest = dial(path, self._hello)
        try:
            sock.settimeout(None)
            if sys.platform == "linux":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(RECEIVE_SLICE_S), 0))
            unanswered = [encode_json(e) + b"\n" for e in self._waiting.values()]
            if unanswered:
                sock.sendall(b"".join(unanswered))
        except BaseException:
            sock.close()
            raise
        self._sock, self._rest, self.welcome = sock, b"", welcome
        self.connections += 1
        if rest:
            self._take(rest)
