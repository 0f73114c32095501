"""Children that lead a session of their own, so that they are ended with all that has stayed in it; and the shell."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from typing import IO, Any

from kortana.processes.descriptors import wait_readable

SHELL = ("/bin/sh", "-c")
"""The words before a command that a person wrote."""


def start_apart(words: Sequence[str], **more: Any) -> "subprocess.Popen[bytes]":
    """A child that Ctrl-C at the terminal does not reach. more: as Popen takes it. Raises OSError, and ValueError for
    words that no process can be given."""
    return subprocess.Popen(words, start_new_session=True, **more)


class Detached:
    """A child that goes on when this process ends. It finds in an environment variable the number of a file, into which
    it writes a line when it has come up."""

    def __init__(self, words: list[str], variable: str, stderr: IO[bytes]) -> None:
        """Raises OSError."""
        read_end, write_end = os.pipe()
        self._said = os.fdopen(read_end, "rb")
        try:
            self._process = start_apart(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, pass_fds=[write_end],
                env={**os.environ, variable: str(write_end)},
            )  # fmt: skip
        finally:
            os.close(write_end)
        self.pid = self._process.pid

    def said(self, timeout_s: float) -> bytes | None:
        """Its line; empty where it has ended without one, None where nothing has come for so long. To be asked once."""
        with self._said:
            if not wait_readable(self._said.fileno(), timeout_s):
                return None
            return self._said.readline()

    def exit_code(self) -> int:
        """Waits for its end."""
        return self._process.wait()

    def let_go(self) -> None:
        """It has come up: nobody waits for it here any more."""
        self._process.returncode = 0  # else Popen warns, in Python's development mode, that it still runs


def end_session(process: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """Ends a child that was started apart, and its group: SIGTERM, and SIGKILL after the grace."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            kill_session(process)


def kill_session(process: "subprocess.Popen[bytes]") -> None:
    """Kills its group at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
