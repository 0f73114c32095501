"""From fork to the worker's own code: what a child does before it is the worker. Runs in the child."""

import contextlib
import faulthandler
import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from kortana.ports import ProcessSpec
from kortana.processes import cgroup, evidence
from kortana.processes.messages import Start
from kortana.processes.open_files import limit_worker
from kortana.processes.orders import GO, ORDERS_END, Orders, decode_orders
from kortana.processes.posix import close_from, die_with_parent, reset_signals, set_name

CANNOT_EXECUTE = 126
NOT_FOUND = 127


_ENV = {f"VARIABLE_{number}": "value" * 8 for number in range(40)}
_SPEC = ProcessSpec("w", 1, ["sh", "-c", "true"], None, "/", _ENV, "w.log", 1, 1, None, None)
_SOME_ORDERS = msgspec.json.encode(Orders(Start(_SPEC, held=True), [], None)) + ORDERS_END
_ORDERS_FD = evidence.CRASH_FD + 1
STATUS_FD = 3
"""Closed by the worker's start; what is written to it first says why there was none."""

Runner = Callable[[str], None]
"""Calls the Python worker that an entrypoint names."""


_STANDARD = range(1, 32)
_HANDLED = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGTTOU})


def heed_signals(only_execs: bool) -> None:
    """Every signal does what it does by default, whatever the launcher, its interpreter, or whoever called `up` had
    made of it."""
    if only_execs:
        reset_signals(_STANDARD)
        return
    faulthandler.unregister(evidence.STACKS_SIGNAL)
    signal.set_wakeup_fd(-1)
    for number in _STANDARD:
        if number in _HANDLED or signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def stand_by(launcher_pid: int, stdout: int, stderr: int, status: int, crash: int, orders: int) -> Orders | None:
    """A session of its own, tied to the launcher's life, its output in the pipes; then waits for its orders.

    None where none come: the launcher has closed its end. `held` is taken out of them where the word to begin has come
    already.
    """
    os.setsid()
    try:
        die_with_parent(launcher_pid)
        _take_streams(stdout, stderr, status, crash, orders)
        close_from(_ORDERS_FD + 1)  # a worker must not hold the launcher's or another worker's pipes
    except OSError as error:
        refuse(status, f"cannot get ready: {error.strerror}")
    text = b""
    while data := os.read(_ORDERS_FD, 1 << 16):
        text += data
        if text.endswith(ORDERS_END):
            found = decode_orders(text)
            if found.start.held:
                return found
        elif text.endswith(ORDERS_END + GO):
            found = decode_orders(text.removesuffix(GO))
            return msgspec.structs.replace(found, start=msgspec.structs.replace(found.start, held=False))
    return None


def refuse(status: int, why: str) -> NoReturn:
    """Ends before there are orders. status: the pipe that the launcher reads."""
    os.write(status, why.encode())
    os._exit(CANNOT_EXECUTE)


def rehearse() -> None:
    """What is done with orders, done once with others: each page that this touches is copied, and later is there."""
    found = decode_orders(_SOME_ORDERS)
    with contextlib.suppress(FileNotFoundError):
        os.chdir("")
    with contextlib.suppress(FileNotFoundError):
        _find("no such command", found.start.env())


def _await_go(orders: Orders) -> None:
    """Everything is ready. Ends the process where it is not needed after all."""
    if orders.start.held and os.read(_ORDERS_FD, 1) != GO:
        os._exit(0)
    os.close(_ORDERS_FD)


def become(orders: Orders, runner: Runner) -> None:
    """Becomes the worker."""
    spec, env = orders.start.spec, orders.start.env()
    try:
        for folder in orders.folders:
            cgroup.enter(Path(folder))
        if orders.name is not None:
            set_name(orders.name)
        limit_worker(spec.open_files, spec.usual_open_files)
    except OSError as error:
        _fail(CANNOT_EXECUTE, f"cannot get ready: {error}")
    try:
        os.chdir(spec.cwd)
    except OSError as error:
        _fail(CANNOT_EXECUTE, f"cannot enter {spec.cwd}: {error.strerror}")
    except ValueError as error:
        _fail(CANNOT_EXECUTE, f"cannot enter {spec.cwd!r}: {error}")
    if spec.argv is not None:
        _execute(orders, spec.argv, env)
    else:
        _call(orders, runner, spec.entrypoint or "", env)


def _take_streams(stdout: int, stderr: int, status: int, crash: int, orders: int) -> None:
    """None of the pipes may have a number that another one is moved to: all of them are moved up first."""
    null = os.open(os.devnull, os.O_RDONLY)
    ours = (stdout, stderr, status, crash, orders)
    stdout, stderr, status, crash, orders = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16) for fd in ours)
    os.dup2(null, 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.dup2(status, STATUS_FD, inheritable=False)
    os.dup2(crash, evidence.CRASH_FD, inheritable=False)
    os.dup2(orders, _ORDERS_FD, inheritable=False)


def _fail(code: int, text: str) -> None:
    os.write(2, f"kortana: {text}\n".encode())
    os.write(STATUS_FD, text.encode())
    os._exit(code)


def _find(name: str, env: dict[str, str]) -> str:
    """Where a command stands, by the worker's own PATH: one exec, not one for each folder."""
    if "/" in name:
        return name
    for folder in env.get("PATH", os.defpath).split(os.pathsep):
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
    raise FileNotFoundError(name)


def _execute(orders: Orders, argv: list[str], env: dict[str, str]) -> None:
    try:
        path = _find(argv[0], env)
        _await_go(orders)
        os.execve(path, argv, env)
    except FileNotFoundError:
        _fail(NOT_FOUND, f"cannot run {argv[0]}: there is no such command")
    except OSError as error:
        _fail(CANNOT_EXECUTE, f"cannot run {argv[0]}: {error.strerror}")
    except ValueError as error:
        _fail(CANNOT_EXECUTE, f"cannot run {argv[0]!r}: {error}")


def _call(orders: Orders, runner: Runner, entrypoint: str, env: dict[str, str]) -> None:
    """Becomes a Python worker. An exception ends it with its traceback on stderr and exit code 1."""
    os.environ.clear()
    try:
        os.environ.update(env)
    except ValueError as error:
        _fail(CANNOT_EXECUTE, f"cannot set its environment: {error}")
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as the interpreter sets these three at its own start
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    evidence.watch_over()
    _await_go(orders)
    os.close(STATUS_FD)
    try:
        runner(entrypoint)
    except BaseException as error:
        evidence.report(error)
        raise
