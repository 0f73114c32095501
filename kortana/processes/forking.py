"""multiprocessing's fork, without its pipes and without its waiting: the launcher reaps all children itself."""

import multiprocessing.context
import multiprocessing.popen_fork
import os
from typing import Any


class _Popen(multiprocessing.popen_fork.Popen):
    """Never waits for a pid: the launcher's one `wait4` gets every exit, with its rusage."""

    def poll(self, flag: int = os.WNOHANG) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        return self.returncode

    def _launch(self, process_obj: Any) -> None:
        code = 1
        self.pid = os.fork()
        self.sentinel = -1
        if self.pid == 0:
            try:
                code = process_obj._bootstrap(parent_sentinel=None)
            finally:
                os._exit(code)


class WorkerProcess(multiprocessing.context.ForkProcess):
    """A worker as a multiprocessing process; `reaped` tells it that it is gone."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        return _Popen(process_obj)

    def reaped(self, returncode: int) -> None:
        self._popen.returncode = returncode  # type: ignore[attr-defined]
