"""Readiness by asking: a TCP port, a URL, a command. One thread a probe, for as long as a worker is starting."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable

from kortana.config.spec import ReadySpec
from kortana.processes.reaping import own_child
from kortana.processes.sessions import kill_session, start_apart
from kortana.processes.threads import starting_threads

ATTEMPT_TIMEOUT_S = 5.0
MAX_SAID = 200
"""Characters that are kept of an answer that is none."""


def ask_tcp(host: str, port: int, timeout_s: float) -> str:
    """Why there was no connection; empty where there was."""
    try:
        with socket.create_connection((host, port), timeout_s):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def ask_http(url: str, timeout_s: float) -> str:
    """Empty for a 2xx or 3xx, else what came instead. It is the worker that is asked: no proxy, and not whoever it
    refers to. Loads its client when a worker is first asked so: most trees have none."""
    import http.client
    import urllib.error
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay).open(url, timeout=timeout_s):
            return ""
    except urllib.error.HTTPError as error:
        return "" if 300 <= error.code < 400 else f"status {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = str(getattr(error, "reason", None) or error) or type(error).__name__
        return "".join(char if char.isprintable() else "?" for char in said[:MAX_SAID])


def ask_command(words: tuple[str, ...], cwd: str, env: dict[str, str], timeout_s: float) -> str:
    """Empty where it ends with 0 in time, else how it ended; what it has started ends with it."""
    with own_child():
        return _run(words, cwd, env, timeout_s)


def _run(words: tuple[str, ...], cwd: str, env: dict[str, str], timeout_s: float) -> str:
    try:
        process = start_apart(
            words, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        return f"cannot run {words[0]}: {error.strerror}"
    try:
        code = process.wait(timeout_s)
        return f"exit code {code}" if code else ""
    except subprocess.TimeoutExpired:
        return f"no end within {timeout_s:.1f}s"
    finally:
        kill_session(process)
        process.wait()


def _question(ready: ReadySpec, cwd: str, env: dict[str, str]) -> Callable[[float], str]:
    match ready.type:
        case "tcp":
            return lambda timeout_s: ask_tcp(ready.host, ready.port or 0, timeout_s)
        case "http":
            return lambda timeout_s: ask_http(ready.url or "", timeout_s)
        case _:
            return lambda timeout_s: ask_command(ready.command or (), cwd, env, timeout_s)


class Probe:
    """Asks until nothing speaks against it, then calls `succeeded` once; `stop` ends it. Bounded by the readiness
    timeout. `said` is what last spoke against it."""

    def __init__(self, ready: ReadySpec, cwd: str, env: dict[str, str], succeeded: Callable[[], None]) -> None:
        self._ask = _question(ready, cwd, env)
        self._ready, self._succeeded = ready, succeeded
        self.said = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        """Begins to ask; where there is no thread for it, it is never ready, and `said` tells why."""
        try:
            with starting_threads():
                self._thread.start()
        except OSError as error:
            self.said = str(error.strerror)

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        deadline = time.monotonic() + self._ready.timeout
        while not self._stopped.is_set() and (left := deadline - time.monotonic()) > 0:
            self.said = self._ask(min(left, ATTEMPT_TIMEOUT_S))
            if not self.said:
                if not self._stopped.is_set():
                    self._succeeded()
                return
            self._stopped.wait(self._ready.interval)


PROBED = frozenset({"tcp", "http", "exec"})


def why_not_ready(ready: ReadySpec, probe: Probe | None) -> str:
    """What was waited for, and what came instead, for a person."""
    match ready.type:
        case "log":
            return f"no line of its output matched {ready.pattern!r}"
        case "hello":
            return "it did not say HELLO"
    asked = {"tcp": f"{ready.host}:{ready.port}", "http": ready.url, "exec": " ".join(ready.command or ())}
    said = probe.said if probe is not None else ""
    return f"the last probe of {asked.get(ready.type)}: {said or 'no answer in time'}"
