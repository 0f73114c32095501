"""The main thread of `kortana up`: signals, the service manager's watchdog, a launcher to start anew, the end."""

import queue
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pykka

from kortana.actors.messages import Inspect, ShutDown
from kortana.processes.notify import Notifier
from kortana.processes.reaping import reap_others
from kortana.processes.wishes import heed_children, heed_wishes
from kortana.transport.waker import Waker

RETRY_S = 1.0
"""So long after one attempt to start a launcher anew the next one is made."""


class MainThread:
    """Waits for what only a main thread can do. say: tells the person at the terminal."""

    def __init__(self, notifier: Notifier, say: Callable[[str], None]) -> None:
        self._notifier, self._say = notifier, say
        self._orders: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._waker = Waker()
        self._signals = 0
        self._again_at: float | None = None

    def finished(self, code: int) -> None:
        """Nothing of the tree is left. Any thread."""
        self._order("finished", code)

    def launcher_gone(self) -> None:
        """A new launcher is wanted. Any thread."""
        self._order("launcher")

    def install_signals(self) -> None:
        self._waker.heed_signals()
        heed_wishes(lambda number: self._order("signal", number))
        heed_children(lambda: self._order("child"))

    def release_signals(self) -> None:
        """There is nothing to be ended any more but this process, which may have to wait for its reader."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._waker.close()

    def serve(self, supervisor: Any, reopen_launcher: Callable[[bool], bool]) -> int:
        """Until the tree has finished, or a second signal came. Gives the exit code.

        reopen_launcher: whether it could; if not, it is called again, and told so.
        """
        while True:
            try:
                order, value = self._orders.get_nowait()
            except queue.Empty:
                if not self._waker.wait(self._patience_s()):
                    self._pet_watchdog(supervisor)
                    if self._again_at is not None and time.monotonic() >= self._again_at:
                        self._order("launcher")
                continue
            if order == "finished":
                return value
            if order == "signal":
                self._signals += 1
                if self._signals > 1:
                    self._say("killing everything")
                    return 1
                name = signal.Signals(value).name
                self._notifier.tell("STOPPING=1", f"STATUS={name}: stopping the workers")
                with suppress(pykka.ActorDeadError):  # then the end of it all is on its way already
                    supervisor.tell(ShutDown(name, 0))
                self._say(f"{name}: stopping the workers; once more kills them")
            elif order == "launcher":
                is_open = reopen_launcher(self._again_at is not None)
                self._again_at = None if is_open else time.monotonic() + RETRY_S
            else:
                reap_others()

    def _order(self, what: str, value: int = 0) -> None:
        self._orders.put((what, value))
        self._waker.wake()

    def _patience_s(self) -> float | None:
        """How long to wait for an order; None: for ever."""
        watchdog_s = self._notifier.watchdog_s
        if self._again_at is None:
            return watchdog_s
        return min(max(0.0, self._again_at - time.monotonic()), watchdog_s or RETRY_S)

    def _pet_watchdog(self, supervisor: Any) -> None:
        """A sign of life, where one is wanted, if the supervisor actor answers."""
        if self._notifier.watchdog_s is None:
            return
        try:
            supervisor.ask(Inspect(), timeout=self._notifier.watchdog_s)
        except (pykka.Timeout, pykka.ActorDeadError):
            return
        self._notifier.tell("WATCHDOG=1")
