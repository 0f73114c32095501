"""A launcher that is there, and does nothing any more: it is noticed, asked for its stacks, and killed."""

import os
import queue
import select
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from kortana.processes import link, pulse
from kortana.processes.messages import Exited, LogMatched, Started
from tests.e2e.bench import WAIT_S, Bench
from tests.e2e.project import Project, eventually

ENDLESS = "^(a+)+$"
"""A pattern that takes the time of the universe for forty times `a` and one `b`."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "IDLE_S", 1.5)
    monkeypatch.setattr(pulse, "PULSE_S", 1.5)
    monkeypatch.setattr(pulse, "PATIENCE_S", 0.5)


def all_told(bench: Bench) -> list[Any]:
    """What it tells until it is gone."""
    return list(iter(bench.next, None))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> "queue.Queue[Any]":
    """Every Ping, as it is sent."""
    found = queue.Queue[Any]()
    send = link.LauncherLink._say_now

    def counted(self: link.LauncherLink, message: Any) -> bool:
        found.put(message)
        return send(self, message)

    monkeypatch.setattr(link.LauncherLink, "_say_now", counted)
    return found


def test_one_that_has_nothing_to_say_is_asked_and_answers(asked: "queue.Queue[Any]", tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(pulse.MISSED + 1):
        asked.get(timeout=WAIT_S)
    bench.link.start(bench.spec())
    assert isinstance(bench.next(), Started) and bench.hung.empty()
    assert bench.link.close()


def test_one_that_has_slept_is_asked_as_soon_as_it_has_an_order(
    asked: "queue.Queue[Any]", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "IDLE_S", 1000.0)
    bench = Bench(tmp_path)
    bench.link.start(bench.spec())
    bench.next()
    assert asked.empty(), "who has just spoken is not asked"
    pulse_of_it: Any = bench.link._pulse
    pulse_of_it._heard_at -= 100.0
    bench.link.release("w", 1)
    asked.get(timeout=WAIT_S)
    assert bench.link.close()


def test_one_that_waits_for_a_disk_is_let_be(
    asked: "queue.Queue[Any]", bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [bench.link.pid]
    monkeypatch.setattr(pulse, "waits_for_disk", lambda pid: pid in slow)
    os.kill(bench.link.pid, signal.SIGSTOP)
    for _ in range(pulse.MISSED + 2):
        asked.get(timeout=WAIT_S)
    assert bench.hung.empty()
    slow.clear()
    assert bench.hung.get(timeout=WAIT_S) == ""


def test_one_that_is_stopped_is_killed_and_its_workers_with_it(bench: Bench) -> None:
    bench.link.start(bench.spec())
    end_of_worker = os.pidfd_open(bench.next().pid)
    os.kill(bench.link.pid, signal.SIGSTOP)
    assert bench.hung.get(timeout=WAIT_S) == "" and all_told(bench) == []
    assert select.select([end_of_worker], [], [], WAIT_S)[0]
    os.close(end_of_worker)


def test_one_that_computes_without_end_says_where(bench: Bench) -> None:
    bench.link.start(bench.spec(f"echo {'a' * 40}b; exec sleep 1000", ready_pattern=ENDLESS))
    assert "capture.py" in bench.hung.get(timeout=WAIT_S)
    assert not any(isinstance(message, LogMatched | Exited) for message in all_told(bench))


def test_who_gives_it_orders_does_not_wait_for_ever(bench: Bench) -> None:
    os.kill(bench.link.pid, signal.SIGSTOP)
    more = {"PAD": "x" * 100_000}
    orders = threading.Thread(target=lambda: [bench.link.start(bench.spec(env=more)) for _ in range(20)], daemon=True)
    orders.start()
    bench.hung.get(timeout=WAIT_S)
    orders.join(WAIT_S)
    assert not orders.is_alive() and all_told(bench) == [] and not bench.link.is_open()


def test_the_end_does_not_wait_for_it(bench: Bench) -> None:
    os.kill(bench.link.pid, signal.SIGSTOP)
    assert bench.link.close(timeout_s=0.1) is False


def test_a_tree_goes_on_with_a_new_launcher(project: Project) -> None:
    project.write({"workers": {"a": {"command": ["sh", "-c", "setsid sleep 1000 & exec sleep 1000"]}}})
    project.up()
    os.kill(project.pids()["launcher"], signal.SIGSTOP)
    ordered = project.start("restart", "a")
    eventually(lambda: project.supervision("launcher_hung"))
    assert ordered.wait(60) == 0 and project.running("a", incarnation=2)
    project.down()
    eventually(project.all_gone)
