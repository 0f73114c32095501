"""Tells a service manager how it stands, by systemd's protocol. Without one it does nothing.

Source: sd_notify(3): datagrams of KEY=VALUE lines to the socket that $NOTIFY_SOCKET names.
"""

import os
import socket


class Notifier:
    """watchdog_s: how often the manager wants a sign of life, half of its limit; None where it wants none."""

    def __init__(self) -> None:
        self._address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        ours = os.environ.pop("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(microseconds) / 2e6 if microseconds.isdigit() and ours and self._address else None

    def tell(self, *lines: str) -> None:
        """`READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=...`. Never raises, never waits."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)  # a manager that does not read must not stop the main thread
                sock.sendto("\n".join(lines).encode(), address)
        except OSError:
            pass
