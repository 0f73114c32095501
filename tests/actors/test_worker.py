"""One worker's life on a fake clock with fake processes."""

import signal
from typing import Any

import pytest

from kortana.actors.messages import (
    AgentSaidHello,
    GaveUp,
    LauncherBack,
    LauncherGone,
    PeerChanged,
    Reconfigure,
    Report,
    RestartWorker,
    StartWorker,
    StopWorker,
    TakeOver,
    WorkerActorDied,
)
from kortana.actors.worker import WorkerActor
from kortana.config.spec import BackoffSpec, LivenessSpec, ReadySpec, StopSpec
from kortana.core.commands import AgentDown, AgentUp
from kortana.processes.messages import LogMatched, NotRunning, StartFailed
from tests.actors.fakes import Stage, running
from tests.e2e.project import eventually


def commands(stage: Stage, kind: type) -> list[Any]:
    return [m.command for m in stage.coordinator if isinstance(m.command, kind)]


def test_a_start_tells_the_coordinator_and_is_ready_at_once() -> None:
    stage = running()
    assert (stage.view.state, stage.view.ready, stage.view.pid) == ("running", True, 4711)
    assert [up.agent for up in commands(stage, AgentUp)] == ["w"]


@pytest.mark.parametrize(
    ("restart", "code", "state"),
    [
        ("permanent", 0, "backoff"), ("permanent", 1, "backoff"), ("transient", 0, "exited"),
        ("transient", 1, "backoff"), ("temporary", 0, "exited"), ("temporary", 1, "failed"),
        ("temporary", 75, "parked"),
    ],
)  # fmt: skip
def test_what_follows_an_exit(restart: str, code: int, state: str) -> None:
    stage = running(restart=restart)
    stage.died(code=code)
    assert stage.view.state == state
    assert len(commands(stage, AgentDown)) == 1


def test_backoff_grows_in_a_row_and_begins_anew_after_health() -> None:
    stage = running(intensity=10)
    for expected in (1.0, 2.0, 4.0, 8.0, 8.0):
        stage.died(code=1)
        assert stage.timer.pending()["backoff"].due - stage.clock.now == expected
        stage.ring("backoff")
        stage.started()
    stage.ring("healthy")
    stage.died(code=1)
    assert stage.timer.pending()["backoff"].due - stage.clock.now == 1.0


def test_a_stop_comes_between_crash_and_restart() -> None:
    stage = running()
    stage.died(code=1)
    old = stage.timer.pending()["backoff"].message
    stage.say(StopWorker("user"))
    stage.say(old)
    stage.settle()
    assert stage.view.state == "stopped" and stage.starts() == [1]


def test_the_budget_is_a_window_and_giving_up_is_told() -> None:
    stage = running(intensity=2, period=60.0, backoff=BackoffSpec(initial=0.0, max=0.0, jitter=0.0))
    for _ in range(2):
        stage.died(code=1)
        stage.started()
    stage.died(code=1)
    assert stage.view.state == "failed" and stage.starts() == [1, 2, 3]
    assert [m.scope for m in stage.told(GaveUp)] == ["worker"]
    stage.say(StartWorker("user"))
    stage.started()
    stage.died(code=1)
    stage.started()
    assert stage.view.state == "running", "a start by hand clears the budget"


def test_crashes_that_are_far_apart_never_use_the_budget_up() -> None:
    stage = running(intensity=1, period=60.0)
    for _ in range(5):
        stage.clock.now += 61
        stage.died(code=1)
        stage.ring("backoff")
        stage.started()
    assert stage.view.state == "running" and stage.view.restarts == 5


def test_quota_parks_and_tries_again_without_counting() -> None:
    stage = running(intensity=0, quota_delay=300.0)
    stage.died(code=75)
    assert stage.view.state == "parked" and stage.timer.pending()["backoff"].due == stage.clock.now + 300
    assert stage.logged("exited") and not stage.logged("crashed")
    stage.ring("backoff")
    stage.started()
    assert stage.view.state == "running"


def test_a_stop_signals_waits_for_the_grace_and_then_kills_the_tree() -> None:
    stage = running(stop=StopSpec(signal="SIGINT", grace=7.0))
    stage.say(StopWorker("user"))
    assert stage.launcher.calls[-1] == ("signal", 1, signal.SIGINT)
    assert stage.timer.pending()["grace"].due == stage.clock.now + 7
    stage.ring("grace")
    assert stage.launcher.calls[-1] == ("kill", 1)
    stage.died(signal="SIGKILL")
    assert stage.view.state == "stopped"
    assert [e["event"] for e in stage.events if e["event"] in ("intent", "exited", "crashed")] == [
        "intent", "intent", "exited",
    ]  # fmt: skip
    assert commands(stage, AgentDown)[0].clean


def test_a_restart_by_hand_stops_then_starts() -> None:
    stage = running()
    stage.say(RestartWorker("user"))
    assert stage.view.state == "stopping"
    stage.died(signal="SIGTERM")
    stage.started()
    assert (stage.view.state, stage.view.incarnation, stage.view.restarts) == ("running", 2, 0)


def test_a_start_while_it_is_stopping_starts_it_afterwards() -> None:
    stage = running()
    stage.say(StopWorker("user"))
    stage.say(StartWorker("user"))
    stage.died(signal="SIGTERM")
    assert stage.starts() == [1, 2]


def test_readiness_by_log_and_its_timeout() -> None:
    stage = Stage(ready=ReadySpec(type="log", pattern="listening", timeout=5.0))
    stage.say(StartWorker("boot"))
    stage.started()
    assert stage.view.state == "starting"
    stage.say(Report(LogMatched("w", 1, "listening on 80")))
    assert stage.view.ready and "ready" not in stage.timer.pending()
    stage.died(code=1)
    stage.ring("backoff")
    stage.started()
    stage.ring("ready")
    assert stage.launcher.calls[-1] == ("kill", 2)
    stage.died(signal="SIGKILL")
    assert stage.view.state == "backoff" and stage.logged("crashed")[-1]["cause"] == "readiness timeout"


def test_readiness_by_hello_knows_incarnations() -> None:
    stage = Stage(ready=ReadySpec(type="hello"))
    stage.say(StartWorker("boot"))
    stage.started()
    stage.say(AgentSaidHello("w", 7))
    assert not stage.view.ready
    stage.say(AgentSaidHello("w", 1))
    assert stage.view.ready


def test_silence_after_hello_ends_a_hung_worker() -> None:
    stage = running(liveness=LivenessSpec(heartbeat_timeout=10.0))
    stage.say(AgentSaidHello("w", 1))
    stage.gate.seen = stage.clock.now + 4
    stage.ring("liveness")
    assert stage.launcher.calls[-1] == ("start", 1), "it spoke 6 s ago"
    stage.ring("liveness")
    assert stage.launcher.calls[-1] == ("kill", 1)
    stage.died(signal="SIGKILL")
    assert stage.view.state == "backoff" and stage.logged("unhealthy")[0]["cause"] == "heartbeat timeout"


def test_start_after_waits_for_its_peer() -> None:
    stage = Stage(start_after={"db": "ready"})
    stage.say(StartWorker("boot"))
    assert stage.view.state == "waiting"
    stage.say(PeerChanged("db", frozenset({"started"})))
    assert stage.starts() == []
    stage.say(PeerChanged("db", frozenset({"started", "ready"})))
    assert stage.starts() == [1]


def test_what_starts_again_in_a_group_waits_for_those_of_it_that_come_first() -> None:
    stage = Stage(start_after={"db": "ready", "log": "started"})
    stage.say(StartWorker("boot"))
    stage.say(PeerChanged("db", frozenset({"started", "ready"})))
    stage.say(PeerChanged("log", frozenset({"started"})))
    stage.say(StopWorker("sibling"))
    stage.died(signal="SIGTERM")
    stage.say(StartWorker("sibling", frozenset({"w", "db"})))
    assert stage.view.state == "waiting" and stage.starts() == [1]
    stage.say(PeerChanged("db", frozenset({"started", "ready"})))
    assert stage.starts() == [1, 2]


def test_those_that_fell_with_the_launcher_start_again_in_their_order() -> None:
    stage = Stage(start_after={"db": "ready", "log": "started"})
    stage.say(StartWorker("boot"))
    stage.say(PeerChanged("db", frozenset({"started", "ready"})))
    stage.say(PeerChanged("log", frozenset({"started"})))
    stage.say(LauncherGone())
    stage.say(LauncherBack(frozenset({"w", "db"})))
    assert stage.view.state == "waiting"
    stage.say(PeerChanged("db", frozenset({"started", "ready"})))
    assert stage.view.state == "starting"


def test_a_person_starts_one_that_waits_for_others_at_once() -> None:
    stage = Stage(start_after={"db": "ready"})
    stage.say(StartWorker("boot"))
    stage.say(StartWorker("sibling"))
    assert stage.starts() == []
    stage.say(StartWorker("user"))
    assert stage.starts() == [1] and stage.view.state == "starting"
    stage.say(PeerChanged("db", frozenset({"started", "ready"})))
    assert stage.starts() == [1]


def test_a_program_that_cannot_be_started_is_a_crash_with_its_reason() -> None:
    stage = Stage(restart="temporary")
    stage.say(StartWorker("boot"))
    stage.say(Report(StartFailed("w", 1, "claude: not found")))
    assert stage.view.state == "failed"
    assert stage.view.last_exit is not None and "not found" in stage.view.last_exit["reason"]


def test_the_launchers_death_is_no_fault_of_the_worker() -> None:
    stage = running(intensity=0)
    stage.say(LauncherGone())
    assert stage.view.state == "backoff" and commands(stage, AgentDown)[-1].clean
    stage.say(LauncherBack())
    stage.started()
    assert stage.view.state == "running" and stage.starts() == [1, 2]


def test_a_start_that_falls_due_while_there_is_no_launcher_waits_for_the_next_one() -> None:
    stage = running()
    stage.died(code=1)
    stage.launcher.gone = True
    stage.say(LauncherGone())
    stage.ring("backoff")
    assert stage.view.state == "backoff" and stage.starts() == [1]
    stage.launcher.gone = False
    stage.say(LauncherBack())
    stage.started()
    assert stage.view.state == "running" and stage.starts() == [1, 2]


AT_ONCE = BackoffSpec(initial=0.0, factor=2.0, max=0.0, jitter=0.0, reset_after=30.0)


def test_a_successor_gets_ready_before_the_record_is_there_and_begins_after_it() -> None:
    stage = running(backoff=AT_ONCE, entrypoint="m:f")
    seen: list[tuple[int, list[tuple[Any, ...]], int]] = []
    write = stage.crashes.write

    def watching(record: dict[str, Any]) -> None:
        downs = len(commands(stage, AgentDown))
        seen.append((len(stage.crashes.records), list(stage.launcher.calls), downs))
        write(record)

    stage.crashes.write = watching  # type: ignore[method-assign]
    stage.died(code=1)
    [(records, calls, downs)] = seen
    assert records == 0 and calls[-1] == ("hold", 2), "it is held while the record is written"
    assert downs == 0, "nobody was woken before that"
    assert stage.launcher.calls[-1] == ("start", 2) and len(commands(stage, AgentDown)) == 1
    stage.started()
    assert stage.view.state == "running" and stage.view.incarnation == 2


def between(stage: Stage, message: Any) -> None:
    """It dies, and the message stands in its mailbox before the start that its death leads to."""
    stage.gate.withdraw = lambda worker: stage.ref.tell(message)  # type: ignore[method-assign]
    stage.died(code=1)
    stage.settle()
    del stage.gate.withdraw  # type: ignore[attr-defined]


@pytest.mark.parametrize("cause", ["user", "down"])
def test_a_stop_that_comes_between_discards_what_is_held(cause: str) -> None:
    stage = running(backoff=AT_ONCE, entrypoint="m:f")
    between(stage, StopWorker(cause))
    assert stage.launcher.calls[1:] == [("hold", 2), ("discard", 2)]
    assert stage.view.state == "stopped" and stage.view.incarnation == 1


def test_another_declaration_that_comes_between_discards_what_is_held() -> None:
    stage = running(backoff=AT_ONCE, entrypoint="m:f")
    between(stage, Reconfigure(stage.spec))
    assert stage.launcher.calls[1:] == [("hold", 2), ("discard", 2), ("start", 2)]
    stage.started()
    assert stage.view.state == "running" and stage.view.incarnation == 2


@pytest.mark.parametrize(("restart", "code"), [("transient", 0), ("temporary", 1), ("temporary", 75)])
def test_another_declaration_starts_what_had_ended_by_itself(restart: str, code: int) -> None:
    stage = running(restart=restart)
    stage.died(code=code)
    assert stage.view.state in ("exited", "failed", "parked")
    stage.say(Reconfigure(stage.spec))
    assert stage.starts() == [1, 2] and "backoff" not in stage.timer.pending()
    stage.started()
    assert stage.view.state == "running"


def test_another_declaration_does_not_start_what_was_stopped() -> None:
    stage = running()
    stage.say(StopWorker("user"))
    stage.say(Reconfigure(stage.spec))
    stage.died(signal="SIGTERM")
    stage.say(Reconfigure(stage.spec))
    assert stage.view.state == "stopped" and stage.starts() == [1]


def test_another_declaration_says_anew_what_is_waited_for() -> None:
    stage = Stage(start_after={"db": "ready"})
    stage.say(StartWorker("boot"))
    stage.say(Reconfigure(stage.spec, {"cache": "started"}))
    stage.say(PeerChanged("db", frozenset({"started", "ready"})))
    assert stage.view.state == "waiting" and stage.starts() == []
    stage.say(Reconfigure(stage.spec, {}))
    assert stage.view.state == "starting" and stage.starts() == [1]


def test_a_launcher_that_dies_between_has_taken_what_it_held_with_it() -> None:
    stage = running(backoff=AT_ONCE, entrypoint="m:f")
    between(stage, LauncherGone())
    assert stage.launcher.calls[1:] == [("hold", 2), ("start", 2)]
    assert stage.launcher.released == [], "it was started anew"


def test_an_actor_that_takes_over_discards_what_is_held() -> None:
    stage = running()
    stage.say(TakeOver("a bug"))
    assert ("discard", 2) in stage.launcher.calls


def test_an_actor_that_takes_over_brings_a_parked_worker_back_in_time() -> None:
    stage = running(quota_delay=60.0)
    stage.died(code=75)
    stage.clock.now += 45.0
    stage.ref.stop()
    stage.timer.messages.clear()
    stage.ref = WorkerActor.start(stage.spec, "w", stage.services, stage.view)
    stage.say(TakeOver("a bug"))
    assert stage.view.state == "parked"
    assert stage.timer.pending()["backoff"].due - stage.clock.now == 15.0
    stage.ring("backoff")
    stage.started()
    assert stage.view.state == "running"


def test_reports_of_an_earlier_incarnation_change_nothing() -> None:
    stage = running()
    stage.died(code=1)
    stage.ring("backoff")
    stage.started()
    before = len(stage.coordinator)
    stage.say(Report(NotRunning("w", 1)))
    stage.say(Report(LogMatched("w", 1, "x")))
    assert stage.view.state == "running" and len(stage.coordinator) == before


def test_an_actor_that_dies_is_told_and_its_successor_ends_the_process_it_finds() -> None:
    stage = running()
    stage.died(code=1)
    stage.launcher.broken = True
    stage.ref.tell(stage.timer.pending()["backoff"].message)
    stage.ref.actor_stopped.wait(30)
    stage.launcher.broken = False
    successor: Any = WorkerActor.start(stage.spec, "w", stage.services, stage.view)
    deaths = eventually(lambda: stage.told(WorkerActorDied), "its death is told")
    assert [d.name for d in deaths] == ["w"] and "a bug" in deaths[0].error
    stage.ref = successor
    stage.say(TakeOver(deaths[0].error))
    assert stage.launcher.calls[-1] == ("kill", 2), "it may have been started: its end is made sure of"
    stage.say(Report(NotRunning("w", 2)))
    assert stage.view.state == "backoff"
    stage.ring("backoff")
    stage.started()
    assert stage.view.state == "running" and stage.view.incarnation == 3
