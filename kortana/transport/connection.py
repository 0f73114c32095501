"""A hub's connections, and what comes in on them."""

import socket
from collections import deque

import msgspec

from kortana.protocol.codec import MAX_FRAME_BYTES, FrameError, read_frame
from kortana.protocol.event import Event
from kortana.transport.peer import Peer

READ_BYTES = 64 * 1024


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One event that came in."""

    conn: "Connection"
    event: Event
    body: bytes


class BadFrame(msgspec.Struct, frozen=True):
    """Something came in that is no event; the connection closes after the answer."""

    conn: "Connection"
    detail: str
    event_id: str | None


class Gone(msgspec.Struct, frozen=True):
    """A connection that had said who it is has closed."""

    conn: "Connection"


Inbound = Frame | BadFrame | Gone


class Admission(msgspec.Struct, frozen=True):
    """What a HELLO has proved."""

    role: str
    receive: bool
    tied: bool
    incarnation: int | None
    """Of a supervised worker; None for a guest."""
    pid: int


class Connection:
    """One connection. What its HELLO settled is set by whoever admits it."""

    __slots__ = (
        "agent", "closing", "commands", "ended", "id", "incarnation", "incoming", "lines", "peer", "receive", "role",
        "sock", "tied", "unsent",
    )  # fmt: skip

    def __init__(self, number: int, sock: socket.socket, peer: Peer) -> None:
        self.id = number
        self.sock = sock
        self.peer = peer
        self.incoming = b""
        self.lines: deque[bytes] = deque()
        """Whole lines that have had no turn yet; while there are any, nothing more is read."""
        self.unsent = bytearray()
        self.closing = False
        """Nothing more is read from it."""
        self.ended = False
        """It closes once what waits has been written."""
        self.agent: str | None = None
        """Its authenticated identity, once it has one."""
        self.incarnation: int | None = None
        """Of a supervised worker."""
        self.role = ""
        self.commands = 0
        """So many of its commands are being carried out by others than the coordinator."""
        self.receive = False
        self.tied = False

    def read(self) -> int:
        """Reads once into `lines`; gives the bytes read: 0 at the end, -1 where nothing is there."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return -1
        except OSError:
            return 0
        lines = (self.incoming + data).split(b"\n") if self.incoming else data.split(b"\n")
        self.incoming = lines.pop()
        if len(self.incoming) > MAX_FRAME_BYTES:
            lines.append(self.incoming)
            self.incoming = b""
        self.lines.extend(lines)
        return len(data)

    def take_line(self) -> Frame | BadFrame:
        """The first line. One that is no event ends the connection after the answer."""
        line = self.lines.popleft()
        try:
            if len(line) >= MAX_FRAME_BYTES:
                raise FrameError(f"a line of more than {MAX_FRAME_BYTES} bytes")
            event, body = read_frame(line)
        except FrameError as error:
            self.closing = True
            return BadFrame(self, error.detail, error.event_id)
        return Frame(self, event, body)
