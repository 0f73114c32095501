"""One very process, whoever gets its number afterwards."""

import contextlib
import os
import signal

from kortana.processes.descriptors import wait_readable


class Watched:
    """`of` gives one; close it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def of(cls, pid: int) -> "Watched | None":
        """None where there is no such process, or this system has no handle for one."""
        try:
            return cls(os.pidfd_open(pid))
        except (OSError, AttributeError):
            return None

    def terminate(self) -> None:
        """Asks it to end; nobody else is asked."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, signal.SIGTERM)

    def ended(self, timeout_s: float) -> bool:
        """Waits for its end; whether it came in time."""
        return wait_readable(self._fd, timeout_s)

    def close(self) -> None:
        os.close(self._fd)
