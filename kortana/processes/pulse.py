"""Whether the launcher is alive, and not only there: one that says nothing is asked, one that does not answer hangs."""

import os
import socket
import struct
from collections.abc import Callable
from multiprocessing.connection import Connection

from kortana.processes.evidence import STACKS_SIGNAL
from kortana.processes.messages import MAX_MESSAGE
from kortana.processes.posix import waits_for_disk

PULSE_S = 5.0
"""A launcher that has said nothing for so long is asked."""
MISSED = 3
"""After so many such waits in a row it hangs. Each begins anew: a machine that stood still gives it time to answer."""
PATIENCE_S = 1.0
"""So long is waited for a launcher that may hang to take a word, or to give its stacks."""
MAX_STACKS = 64 * 1024


class Pulse:
    """Reads what one launcher says. ask: sends a Ping, without waiting for long."""

    def __init__(self, control: Connection, stacks: Connection, pid: int, ask: Callable[[], object]) -> None:
        self._control, self._stacks, self._pid, self._ask = control, stacks, pid, ask
        self.is_hung = False
        with socket.socket(fileno=os.dup(control.fileno())) as same:  # for one that hangs in the midst of a message
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", int(PULSE_S * MISSED), 0))

    def next(self) -> bytes | None:
        """The next message; None at its end, and where it hangs. A disk that hangs is not its fault: its workers live,
        and killing it would end them."""
        missed = 0
        try:
            while missed < MISSED:
                if self._control.poll(PULSE_S):
                    return self._control.recv_bytes(MAX_MESSAGE)
                missed = 0 if waits_for_disk(self._pid) else missed + 1
                self._ask()
        except BlockingIOError:
            pass
        except (EOFError, OSError):
            return None
        self.is_hung = True
        return None

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
        self._stacks.close()
