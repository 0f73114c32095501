"""Whether the launcher is alive, and not only there: one that says nothing is asked, one that does not answer hangs."""

import contextlib
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from kortana.processes.evidence import STACKS_SIGNAL
from kortana.processes.messages import MAX_MESSAGE
from kortana.processes.posix import waits_for_disk

IDLE_S = 60.0
"""A launcher that has nothing to do and has said nothing for so long is asked. Not more often: to wake two processes
that sleep costs a machine up to 50 ms."""
PULSE_S = 5.0
"""One that was asked, or has an order, and says nothing for so long is asked again."""
MISSED = 3
"""After so many such waits in a row it hangs. Each begins anew: a machine that stood still gives it time to answer."""
PATIENCE_S = 1.0
"""So long is waited for a launcher that may hang to take a word, or to give its stacks."""
MAX_STACKS = 64 * 1024


class Pulse:
    """Reads what one launcher says. ask: sends a Ping, without waiting for long."""

    def __init__(self, control: Connection, stacks: Connection, pid: int, ask: Callable[[], object]) -> None:
        self._control, self._stacks, self._pid, self._ask = control, stacks, pid, ask
        self._heard_at = time.monotonic()
        alarm, wake = os.pipe()
        os.set_blocking(wake, False)
        self._alarm, self._wake = os.fdopen(alarm, "rb", 0), os.fdopen(wake, "wb", 0)
        self._idle, self._alert = select.poll(), select.poll()
        self._idle.register(self._alarm, select.POLLIN)
        for poll in (self._idle, self._alert):
            poll.register(control, select.POLLIN)
        self.is_hung = False
        with socket.socket(fileno=os.dup(control.fileno())) as same:  # for one that hangs in the midst of a message
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(PULSE_S * MISSED), 0))

    def next(self) -> bytes | None:
        """The next message; None at its end, and where it hangs. A disk that hangs is not its fault: its workers live,
        and killing it would end them."""
        missed, is_idle = 0, True
        try:
            while missed < MISSED:
                ready = dict(self._idle.poll(IDLE_S * 1000) if is_idle else self._alert.poll(PULSE_S * 1000))
                if self._control.fileno() in ready:
                    data = self._control.recv_bytes(MAX_MESSAGE)
                    self._heard_at = time.monotonic()
                    return data
                if ready:
                    self._alarm.read(4096)
                if not is_idle:
                    missed = 0 if waits_for_disk(self._pid) else missed + 1
                is_idle = False
                self._ask()
        except BlockingIOError:
            pass
        except (EOFError, OSError):
            return None
        self.is_hung = True
        return None

    def expect(self) -> None:
        """It has an order: whether it lives is to be seen soon. Any thread; costs nothing where it has just spoken."""
        if time.monotonic() - self._heard_at > PULSE_S:
            with contextlib.suppress(OSError):  # nobody listens any more
                self._wake.write(b"x")

    def take_stacks(self) -> str:
        """Where it hangs, in its own words; empty where it is stopped, or too far gone to say so."""
        found = b""
        try:
            os.kill(self._pid, STACKS_SIGNAL)
            while len(found) < MAX_STACKS and self._stacks.poll(PATIENCE_S):
                data = os.read(self._stacks.fileno(), MAX_STACKS)
                if not data:
                    break
                found += data
        except OSError:
            pass
        return found.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """The end for waking goes with the last who may have an order: its number must not be another file's."""
        self._stacks.close()
        self._alarm.close()
