"""One incarnation of a worker, as the launcher sees it."""

import os
import time
from collections import deque

from kortana.ports import ProcessExit, ProcessSpec, Sample
from kortana.processes.birth import Newborn
from kortana.processes.capture import Capture
from kortana.processes.limits import LimitedGroup
from kortana.processes.messages import Key, StartAfter, ToLauncher
from kortana.processes.posix import signal_name

SAMPLES = 40
"""So many looks at what it used are kept: with one a minute its last 40 minutes."""

MAX_REPORT = 256 * 1024


class Child:
    """One incarnation, from its fork to the end of its tree."""

    def __init__(self, spec: ProcessSpec, newborn: Newborn, capture: Capture, limits: LimitedGroup) -> None:
        self.spec = spec
        self.newborn = newborn
        self.process = newborn.process
        self.pid = newborn.pid
        self.group = newborn.group
        self.capture = capture
        self.pipes: dict[int, bytes] = {}
        self.limits = limits
        self.crash_fd = -1
        self.report = bytearray()
        """What came on the crash pipe."""
        self.began = time.monotonic()
        self.samples: deque[Sample] = deque(maxlen=SAMPLES)
        self.status: int | None = None
        self.rusage: object = None
        self.swept = 0
        self.oom = (0, "")
        self.events_fd = -1
        self.status_fd = -1
        """Open until the worker's own program runs, or could not be started."""
        self.start_error = ""
        self.after: StartAfter | None = None
        """Who begins after its end."""
        self.orders: list[ToLauncher] = []
        """For the worker; they wait for the end of this incarnation, which was discarded."""

    @property
    def key(self) -> Key:
        return self.spec.worker, self.spec.incarnation

    def signal(self, number: int, alone: bool = False) -> None:
        """To its process group, or to its first process alone; to nobody once that one has ended."""
        if self.status is not None:
            return
        try:
            os.kill(self.pid, number) if alone else os.killpg(self.pid, number)
        except ProcessLookupError:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def read_start_error(self) -> bool:
        """Reads what is there on the status pipe; False where nothing is yet. The launcher waits for nobody, least of
        all for one that waits for its word."""
        os.set_blocking(self.status_fd, False)
        try:
            self.start_error = os.read(self.status_fd, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            return False
        return True

    def read_report(self) -> bool:
        """Reads what is there on the crash pipe, and drops what is too much; True at the pipe's end."""
        try:
            while data := os.read(self.crash_fd, 65536):
                self.report += data[: MAX_REPORT - len(self.report)]
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def exit_code(self) -> int | None:
        """None where a signal ended it."""
        status = self.status or 0
        return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)

    def exit(self) -> ProcessExit:
        """What it has to say of its end, once its whole tree is gone."""
        status, usage = self.status or 0, self.rusage
        signalled = os.WIFSIGNALED(status)
        return ProcessExit(
            code=self.exit_code(),
            signal=signal_name(os.WTERMSIG(status)) if signalled else None,
            core_dumped=signalled and os.WCOREDUMP(status),
            user_s=getattr(usage, "ru_utime", 0.0),
            system_s=getattr(usage, "ru_stime", 0.0),
            max_rss_bytes=getattr(usage, "ru_maxrss", 0) * 1024,
            swept=self.swept,
            output=list(self.capture.kept),
            report=self.report.decode("utf-8", "replace"),
            oom_kills=self.oom[0],
            oom_evidence=self.oom[1],
            samples=list(self.samples),
        )
