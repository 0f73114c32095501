"""Waking a thread that waits; signals that come to another thread than the main one."""

import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from kortana.actors import main_thread
from kortana.actors.main_thread import MainThread
from kortana.actors.messages import ShutDown
from kortana.processes import foreground
from kortana.transport.waker import Waker
from tests.actors.fakes import Told

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


class FakeNotifier:
    watchdog_s = None

    def tell(self, *_: str) -> None:
        pass


def test_a_signal_in_another_thread_ends_the_wait_and_its_handler_runs() -> None:
    heard: list[int] = []
    waker = Waker()
    waker.heed_signals()
    signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    thread = elsewhere(signal.SIGUSR1)
    assert waker.wait(60) and heard == [signal.SIGUSR1]
    thread.join()
    waker.close()
    waker.wake()  # too late, and no error


def test_a_wake_before_the_wait_is_not_missed_and_is_one_however_often() -> None:
    waker = Waker()
    for _ in range(100_000):
        waker.wake()
    assert waker.wait(60)
    while waker.wait(0):
        pass
    waker.close()


def test_the_main_thread_of_up_hears_both_of_two_signals_that_came_to_another_thread() -> None:
    said: list[str] = []
    supervisor, main = Told(), MainThread(FakeNotifier(), said.append)  # type: ignore[arg-type]
    main.install_signals()
    thread = elsewhere(signal.SIGTERM, signal.SIGINT)
    assert main.serve(supervisor, lambda again: True) == 1
    thread.join()
    assert len(supervisor.messages) == 1 and isinstance(supervisor.messages[0], ShutDown)
    assert said[-1] == "killing everything"
    main.release_signals()


def test_other_threads_tell_the_main_thread_of_up_what_it_has_to_do() -> None:
    opened: list[bool] = []
    main = MainThread(FakeNotifier(), lambda _: None)  # type: ignore[arg-type]
    main.launcher_gone()

    def reopen(again: bool) -> bool:
        opened.append(again)
        threading.Timer(0.05, main.finished, (7,)).start()
        return True

    assert main.serve(Told(), reopen) == 7 and opened == [False]


def test_a_launcher_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main_thread, "RETRY_S", 0.01)
    opened: list[bool] = []
    main = MainThread(FakeNotifier(), lambda _: None)  # type: ignore[arg-type]
    main.launcher_gone()

    def reopen(again: bool) -> bool:
        opened.append(again)
        if len(opened) == 3:
            main.finished(7)
        return len(opened) == 3

    assert main.serve(Told(), reopen) == 7 and opened == [False, True, True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_in_the_foreground_gets_what_came_to_another_thread(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreground, "_in_foreground", lambda: False)
    process = sleeper()
    thread = elsewhere(number)
    assert foreground.wait_passing_on(process, Waker()) == 128 + number
    thread.join()


def test_ctrl_c_at_a_terminal_is_not_passed_on_it_has_reached_the_command_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(foreground, "_in_foreground", lambda: True)
    process = sleeper()
    thread = elsewhere(signal.SIGINT, signal.SIGTERM)
    assert foreground.wait_passing_on(process, Waker()) == 128 + signal.SIGTERM
    thread.join()
