"""A successor that gets ready while the death before it is recorded: it begins when it is released, and not before."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from kortana.processes.limits import available
from kortana.processes.messages import Exited, Started, StartFailed
from tests.e2e.bench import Bench, children_of
from tests.e2e.project import AT_ONCE, BOUNDLESS, Project, eventually

ALSO_WITHOUT_CGROUPS = True


def test_it_begins_when_it_is_released(bench: Bench) -> None:
    pid = bench.hold(bench.spec())
    bench.link.start(bench.spec("exec sleep 1000", worker="other"))
    assert bench.next().worker == "other", "what was ordered later has begun"
    assert not bench.ran() and bench.told.empty()
    bench.link.release("w", 1)
    started = bench.next()
    assert isinstance(started, Started) and started.worker == "w" and started.pid == pid
    eventually(bench.ran, "its program runs")


def test_what_is_discarded_ends_in_silence(bench: Bench) -> None:
    pid = bench.hold(bench.spec())
    bench.link.discard("w", 1)
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "it is gone")
    bench.link.discard("w", 1)
    bench.link.start(bench.spec("exec sleep 1000"))
    assert isinstance(bench.next(), Started) and not bench.ran()


def test_the_same_incarnation_is_made_ready_only_once(bench: Bench) -> None:
    first = bench.hold(bench.spec())
    second = bench.hold(bench.spec())
    eventually(lambda: not Path(f"/proc/{first}").exists(), "the one before is gone")
    bench.link.release("w", 1)
    started = bench.next()
    assert isinstance(started, Started) and started.pid == second != first


def test_it_is_made_ready_anew_under_the_same_limit(bench: Bench) -> None:
    if not available("pids"):
        pytest.skip("no controller for the number of processes here")
    bench.hold(bench.spec(pids=50))
    bench.hold(bench.spec(pids=50))
    bench.link.release("w", 1)
    assert isinstance(bench.next(), Started)


def test_one_that_dies_while_it_is_held_is_told_at_its_release(bench: Bench) -> None:
    pid = bench.hold(bench.spec())
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: pid not in bench.children(), "it is reaped")
    assert bench.told.empty()
    bench.link.release("w", 1)
    exited = bench.next()
    assert isinstance(exited, Exited) and exited.exit.signal == "SIGKILL" and not bench.ran()


def test_one_that_cannot_begin_says_why_at_its_release(bench: Bench) -> None:
    bench.link.start(bench.spec(cwd=str(bench.folder / "nowhere")), held=True)
    bench.link.start(bench.spec("exec sleep 1000", worker="other"))
    assert bench.next().worker == "other"
    bench.link.release("w", 1)
    failed = bench.next()
    assert isinstance(failed, StartFailed) and "nowhere" in failed.error


def test_python_workers_are_held_too(bench: Bench) -> None:
    (bench.folder / "touching.py").write_text("def run(agent): ...\nopen('ran', 'w')\n")
    env = {"PATH": os.environ["PATH"], "KORTANA_AGENT": "w"}
    pid = bench.hold(bench.spec(argv=None, entrypoint="touching:run", env=env))
    bench.link.start(bench.spec("exec sleep 1000", worker="other"))
    assert bench.next().worker == "other" and not bench.ran()
    bench.link.release("w", 1)
    started = bench.next()
    assert isinstance(started, Started) and started.pid == pid
    eventually(bench.ran, "its module was loaded")


def test_what_is_held_goes_with_its_launcher(bench: Bench) -> None:
    pid = bench.hold(bench.spec())
    os.kill(bench.link.pid, signal.SIGKILL)
    assert bench.next() is None
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "it is gone")
    assert not bench.ran()


def test_a_signal_right_after_the_start_is_not_lost(bench: Bench) -> None:
    """The launcher ignores what asks it to end; a process that it has just forked must not."""
    for number in range(20):
        bench.link.start(bench.spec("exec sleep 1000", worker=f"w{number}"))
        bench.link.signal(f"w{number}", 1, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)[number % 3])
    ends: list[Any] = []
    while len(ends) < 20:
        message = bench.next()
        if isinstance(message, Exited):
            ends.append(message.exit.signal)
    assert set(ends) == {"SIGTERM", "SIGINT", "SIGHUP"}


def test_a_crash_loop_that_is_stopped_leaves_nothing(project: Project) -> None:
    """Each death has a successor held, and a stop comes at any moment between."""
    project.write({"workers": {"w": {"command": ["sh", "-c", "exit 3"], **AT_ONCE}}, **BOUNDLESS})
    project.up()
    for _ in range(6):
        before = project.worker("w")["restarts"]
        eventually(lambda before=before: project.worker("w")["restarts"] > before + 5, "it restarts")  # type: ignore[misc]
        project.call("stop", "w")
        eventually(lambda: project.worker("w")["state"] == "stopped", "it is at rest")
        launcher = project.pids()["launcher"]
        eventually(lambda pid=launcher: len(children_of(pid)) <= 1, "only the spare is left")  # type: ignore[misc]
        project.call("start", "w")
    project.down()
    assert project.all_gone()
