"""The supervisor's end of the launcher: starts the process, sends it orders, and tells what it reports."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from kortana.ports import CrashSettings, ProcessSpec
from kortana.processes import messages
from kortana.processes.descriptors import wait_writable
from kortana.processes.launcher import launcher_main
from kortana.processes.posix import start_ticks
from kortana.processes.pulse import PATIENCE_S, Pulse
from kortana.processes.threads import starting_threads

Listener = Callable[[messages.OfWorker | None], None]
"""Is told each report, and None when the launcher itself is gone."""


@contextlib.contextmanager
def _own_modules() -> Iterator[None]:
    """An interpreter that is started meanwhile finds no modules in the folder where it starts: that is somebody's
    project, and a `types.py` there is none of Python's."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


class LauncherLink:
    """One launcher process. Orders may come from any thread; reports are told on the link's own thread."""

    def __init__(self, options: messages.LauncherOptions, listener: Listener, hung: Callable[[str], None]) -> None:
        """hung: is told the stacks of a launcher that does not answer, where it gives them; it is killed then."""
        self._options = options
        self._listener, self._hung = listener, hung
        self._lock = threading.Lock()
        self._control: Connection | None = None
        self._process: Any = None
        self._thread: threading.Thread | None = None
        self._pulse: Pulse | None = None

    def open(self) -> None:
        """Starts the launcher. From the main thread only: it is tied to the thread that forks it. Raises OSError, and
        then nothing of it is left."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        stacks, their_stacks = context.Pipe(duplex=False)
        process: Any = context.Process(
            target=launcher_main, args=(theirs, their_stacks, self._options), name="kortana-launcher", daemon=False
        )
        try:
            with _own_modules():
                process.start()
        finally:
            theirs.close()
            their_stacks.close()
            _stop_resource_tracker()
        try:
            pulse = Pulse(ours, stacks, process.pid, lambda: self._say_now(messages.Ping()))
            thread = threading.Thread(target=self._listen, args=(ours, pulse), name="launcher-link", daemon=True)
            self._process, self._pulse, self._thread, self._control = process, pulse, thread, ours
            with starting_threads():
                thread.start()
        except OSError:
            self._control = self._thread = None
            process.kill()
            process.join()
            raise

    @property
    def pid(self) -> int:
        return int(self._process.pid)

    def identity(self) -> tuple[int, int | None]:
        """The launcher's pid and start time."""
        return self.pid, start_ticks(self.pid)

    def is_open(self) -> bool:
        return self._control is not None

    def start(self, spec: ProcessSpec, held: bool = False) -> None:
        self._send(messages.Start.of(spec, held))

    def start_after(
        self, spec: ProcessSpec, but_not: list[int], normal: list[int], settings: CrashSettings
    ) -> None:
        self._send(messages.StartAfter(messages.Start.of(spec, held=True), but_not, normal, settings))

    def release(self, worker: str, incarnation: int) -> None:
        self._send(messages.Release(worker, incarnation))

    def discard(self, worker: str, incarnation: int) -> None:
        self._send(messages.Discard(worker, incarnation))

    def signal(self, worker: str, incarnation: int, number: int) -> None:
        self._send(messages.Signal(worker, incarnation, number))

    def ask_stacks(self, worker: str, incarnation: int) -> None:
        self._send(messages.AskStacks(worker, incarnation))

    def kill_tree(self, worker: str, incarnation: int) -> None:
        self._send(messages.KillTree(worker, incarnation))

    def close(self, timeout_s: float = 10.0) -> bool:
        """Ends the launcher and with it every worker. False where it did not go in time, and was killed."""
        try:
            went = self._say_now(messages.Exit())
            if went and self._thread is not None and self._thread is not threading.current_thread():
                self._thread.join(timeout_s)
                went = not self._thread.is_alive()
        finally:  # the interpreter waits at its end for every child of multiprocessing's
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        return went

    def _send(self, message: messages.ToLauncher) -> None:
        """A launcher that is gone has told so already: the order is moot. One that hangs is killed in time."""
        if self._pulse is not None:
            self._pulse.expect()
        with self._lock:
            self._say(message)

    def _say_now(self, message: messages.ToLauncher) -> bool:
        """False where that would wait for a launcher that reads nothing."""
        if not self._lock.acquire(timeout=PATIENCE_S):
            return False
        try:
            if self._control is not None and not wait_writable(self._control.fileno(), 0):
                return False
            self._say(message)
            return True
        finally:
            self._lock.release()

    def _say(self, message: messages.ToLauncher) -> None:
        if self._control is None:
            return
        try:
            self._control.send_bytes(messages.encode(message))
        except OSError:
            pass

    def _listen(self, control: Connection, pulse: Pulse) -> None:
        while (data := pulse.next()) is not None:
            message = messages.decode_from_launcher(data)
            if not isinstance(message, messages.Pong):
                self._listener(message)
        if pulse.is_hung:
            self._hung(pulse.take_stacks())
            os.kill(self.pid, signal.SIGKILL)
        pulse.close()
        with self._lock:
            self._control = None
            control.close()
        self._listener(None)


def _stop_resource_tracker() -> None:
    """`spawn` starts a helper process for shared memory, which nothing here uses: 9 MB less without it.

    It ends by itself only when nobody holds its pipe, and the launcher does; it has nothing to clean up.
    """
    tracker: Any = resource_tracker._resource_tracker
    pid, fd = tracker._pid, tracker._fd
    if pid is None or fd is None:
        return
    tracker._pid = tracker._fd = None
    os.close(fd)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
