"""What comes out of the workers' pipes: both streams of each, and what a Python worker says of its own end."""

import os
from collections.abc import Callable

from kortana.ports import ProcessSpec
from kortana.processes import messages
from kortana.processes.birth import Newborn
from kortana.processes.capture import Capture, LogFile
from kortana.processes.echo import Echo
from kortana.processes.incarnation import Child
from kortana.processes.loop import Loop

_STREAMS = (b"o", b"e")


class Outputs:
    """Reads in the launcher's loop. tell: is told of a line that makes a worker ready."""

    def __init__(self, loop: Loop, echo: Echo | None, tell: Callable[[Child, messages.OfWorker], None]) -> None:
        self._loop, self._echo, self._tell = loop, echo, tell
        self._logs: dict[str, LogFile] = {}

    def capture(self, spec: ProcessSpec) -> Capture:
        """A worker's incarnations share one log."""
        log = self._logs.get(spec.worker)
        if log is None:
            log = self._logs[spec.worker] = LogFile(spec.log_path, spec.log_rotate_bytes, spec.log_keep)
        echo = self._echo.line_writer(spec.worker) if self._echo else None
        return Capture(log, echo, spec.ready_pattern)

    def watch(self, child: Child, newborn: Newborn) -> None:
        if child.spec.argv is None:
            os.set_blocking(newborn.crash, False)
            child.crash_fd = newborn.crash
            self._loop.watch(newborn.crash, lambda: self._on_crash_report(child))
        else:
            os.close(newborn.crash)
        for fd, stream in zip((newborn.stdout, newborn.stderr), _STREAMS, strict=True):
            os.set_blocking(fd, False)
            child.pipes[fd] = stream
            self._loop.watch(fd, self._reader(child, fd, stream))

    def drain(self, child: Child) -> None:
        """Takes in what is left of one that has ended."""
        for fd, stream in child.pipes.items():
            child.capture.drain(fd, stream)
        if child.crash_fd >= 0:
            child.read_report()
        self._check_pattern(child)

    def close(self, child: Child) -> None:
        for fd in list(child.pipes):
            self._close_pipe(child, fd)
        self._close_crash_pipe(child)

    def _reader(self, child: Child, fd: int, stream: bytes) -> Callable[[], None]:
        def on_output() -> None:
            if not child.capture.read(fd, stream):
                self._close_pipe(child, fd)
            self._check_pattern(child)

        return on_output

    def _check_pattern(self, child: Child) -> None:
        if child.capture.matched is not None:
            self._tell(child, messages.LogMatched(*child.key, child.capture.matched))
            child.capture.stop_matching()

    def _close_pipe(self, child: Child, fd: int) -> None:
        if child.pipes.pop(fd, None) is not None:
            self._loop.unwatch(fd)

    def _on_crash_report(self, child: Child) -> None:
        if child.crash_fd >= 0 and child.read_report():
            self._close_crash_pipe(child)

    def _close_crash_pipe(self, child: Child) -> None:
        if child.crash_fd >= 0:
            self._loop.unwatch(child.crash_fd)
            child.crash_fd = -1
