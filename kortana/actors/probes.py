"""Readiness by asking: a TCP port, a URL, a command. One thread a probe, for as long as a worker is starting."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable

from kortana.config.spec import ReadySpec
from kortana.processes.reaping import own_child

ATTEMPT_TIMEOUT_S = 5.0


def tcp_answers(host: str, port: int, timeout_s: float) -> bool:
    try:
        with socket.create_connection((host, port), timeout_s):
            return True
    except OSError:
        return False


def http_answers(url: str, timeout_s: float) -> bool:
    """True for a 2xx or 3xx. Loads its client when a worker is first asked so: most trees have none."""
    import http.client
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return 200 <= int(answer.status) < 400
    except (OSError, http.client.HTTPException, ValueError, urllib.error.URLError):
        return False


def command_succeeds(words: tuple[str, ...], cwd: str, env: dict[str, str], timeout_s: float) -> bool:
    """Whether it ends with 0 in time; what it has started ends with it."""
    with own_child():
        return _succeeds(words, cwd, env, timeout_s)


def _succeeds(words: tuple[str, ...], cwd: str, env: dict[str, str], timeout_s: float) -> bool:
    try:
        process = subprocess.Popen(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError:
        return False
    try:
        return process.wait(timeout_s) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def _question(ready: ReadySpec, cwd: str, env: dict[str, str]) -> Callable[[float], bool]:
    match ready.type:
        case "tcp":
            return lambda timeout_s: tcp_answers(ready.host, ready.port or 0, timeout_s)
        case "http":
            return lambda timeout_s: http_answers(ready.url or "", timeout_s)
        case _:
            return lambda timeout_s: command_succeeds(ready.command or (), cwd, env, timeout_s)


class Probe:
    """Asks until the answer is yes, then calls `succeeded` once; `stop` ends it. Bounded by the readiness timeout."""

    def __init__(self, ready: ReadySpec, cwd: str, env: dict[str, str], succeeded: Callable[[], None]) -> None:
        self._ask = _question(ready, cwd, env)
        self._ready, self._succeeded = ready, succeeded
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        deadline = time.monotonic() + self._ready.timeout
        while not self._stopped.is_set() and (left := deadline - time.monotonic()) > 0:
            if self._ask(min(left, ATTEMPT_TIMEOUT_S)):
                if not self._stopped.is_set():
                    self._succeeded()
                return
            self._stopped.wait(self._ready.interval)


PROBED = frozenset({"tcp", "http", "exec"})
