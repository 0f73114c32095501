"""Signals that come to another thread than the main one."""

import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kortana.actors.main_thread import MainThread
from kortana.actors.messages import ShutDown
from kortana.processes import foreground
from kortana.processes.wakeup import Wakeup

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [(number, signal.getsignal(number)) for number in NUMBERS]
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before:
        signal.signal(number, handler)


def elsewhere(*numbers: int) -> threading.Thread:
    """The signals come to another thread, one after the other, in a moment."""

    def take() -> None:
        for number in numbers:
            signal.pthread_kill(threading.get_ident(), number)

    thread = threading.Timer(0.2, take)  # by then the main thread waits; if not, all the same must be true
    thread.start()
    return thread


def sleeper() -> "subprocess.Popen[bytes]":
    """It takes every signal as at a terminal, whatever the tests were started with."""
    for number in NUMBERS:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    return subprocess.Popen(["sleep", "1000"])


class FakeSupervisor:
    def __init__(self) -> None:
        self.told: list[Any] = []

    def tell(self, message: Any) -> None:
        self.told.append(message)


class FakeNotifier:
    watchdog_s = None

    def tell(self, *_: str) -> None:
        pass


def test_a_signal_in_another_thread_ends_the_wait_and_its_handler_runs() -> None:
    heard: list[int] = []
    wakeup = Wakeup()
    wakeup.heed_signals()
    signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    thread = elsewhere(signal.SIGUSR1)
    assert wakeup.wait(60) and heard == [signal.SIGUSR1]
    thread.join()
    wakeup.close()
    wakeup.wake()  # too late, and no error


def test_a_wake_before_the_wait_is_not_missed_and_is_one_however_often() -> None:
    wakeup = Wakeup()
    for _ in range(100_000):
        wakeup.wake()
    assert wakeup.wait(60)
    while wakeup.wait(0):
        pass
    wakeup.close()


def test_the_main_thread_of_up_hears_both_of_two_signals_that_came_to_another_thread() -> None:
    said: list[str] = []
    supervisor, main = FakeSupervisor(), MainThread(FakeNotifier(), said.append)  # type: ignore[arg-type]
    main.install_signals()
    thread = elsewhere(signal.SIGTERM, signal.SIGINT)
    assert main.serve(supervisor, lambda: None) == 1
    thread.join()
    assert len(supervisor.told) == 1 and isinstance(supervisor.told[0], ShutDown)
    assert said[-1] == "killing everything"
    main.release_signals()


def test_other_threads_tell_the_main_thread_of_up_what_it_has_to_do() -> None:
    opened: list[bool] = []
    main = MainThread(FakeNotifier(), lambda _: None)  # type: ignore[arg-type]
    main.launcher_gone()

    def reopen() -> None:
        opened.append(True)
        threading.Timer(0.05, main.finished, (7,)).start()

    assert main.serve(FakeSupervisor(), reopen) == 7 and opened == [True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_in_the_foreground_gets_what_came_to_another_thread(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "_in_foreground", lambda: False)
    process = sleeper()
    thread = elsewhere(number)
    assert foreground.wait_passing_on(process) == 128 + number
    thread.join()


def test_ctrl_c_at_a_terminal_is_not_passed_on_it_has_reached_the_command_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreground, "_in_foreground", lambda: True)
    process = sleeper()
    thread = elsewhere(signal.SIGINT, signal.SIGTERM)
    assert foreground.wait_passing_on(process) == 128 + signal.SIGTERM
    thread.join()
