"""A command in the foreground of this process: whoever asks this process to end means the command."""

import contextlib
import os
import signal
import subprocess
import threading
from typing import Any

from kortana.processes.wishes import heed_wishes


def wait_passing_on(process: "subprocess.Popen[bytes]", waker: Any) -> int:
    """Waits for a child of this process's own group, and passes on what asks for an end. Gives the exit code as a shell
    has it. waker: a `transport.waker.Waker`, which is closed then. Main thread only.

    Ctrl-C at a terminal reaches the whole group by itself, and is not passed on: many programs take a second one as the
    wish to end without more ado.
    """
    def wait() -> None:
        process.wait()
        waker.wake()

    def pass_on(number: int) -> None:
        if number != signal.SIGINT or not _in_foreground():
            process.send_signal(number)

    waker.heed_signals()
    heed_wishes(pass_on)
    waiting = threading.Thread(target=wait, name="command", daemon=True)
    waiting.start()
    while process.returncode is None:
        waker.wait(None)
    waiting.join()
    waker.close()
    return 128 - process.returncode if process.returncode < 0 else process.returncode


def _in_foreground() -> bool:
    """Whether the terminal of this process speaks to its group."""
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False
