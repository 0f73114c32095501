"""A successor that is appointed while its worker runs, so that the launcher starts it in the moment of a crash."""

import os
from typing import Any

import pytest

from kortana.actors.admission import Gate
from kortana.actors.messages import (
    LauncherBack,
    LauncherGone,
    Reconfigure,
    Report,
    RestartWorker,
    StartWorker,
    StopWorker,
    TakeOver,
)
from kortana.config.spec import BackoffSpec, ReadySpec
from kortana.processes.messages import NotRunning, Withdrawn
from kortana.protocol.event import Event
from kortana.transport.peer import Peer
from tests.actors.fakes import Stage, running

AT_ONCE = BackoffSpec(initial=0.0, factor=2.0, max=8.0, jitter=0.0, reset_after=30.0)
APPOINTED = ("appoint", 2, [75])


def appointed(**spec: Any) -> Stage:
    return running(**{"backoff": AT_ONCE, **spec})


def test_a_command_that_starts_again_at_once_has_its_successor_appointed_when_it_runs() -> None:
    stage = appointed()
    assert stage.launcher.calls == [("start", 1), APPOINTED]
    stage.died(signal="SIGKILL")
    assert stage.launcher.calls[2:] == [("start", 2)] and stage.launcher.released == [2], "it is only released"
    stage.started()
    assert (stage.view.state, stage.view.incarnation, stage.view.restarts) == ("running", 2, 1)
    assert stage.launcher.calls[3:] == [("appoint", 3, [75])]
    [record] = stage.crashes.records
    assert record["incarnation"] == 1 and record["restart"]["delay_s"] == 0.0


@pytest.mark.parametrize(
    ("restart", "but_not"), [("permanent", [75]), ("transient", [0, 3, 75])]
)  # fmt: skip
def test_it_does_not_come_after_a_code_that_means_no_restart(restart: str, but_not: list[int]) -> None:
    stage = appointed(restart=restart, success_exit_codes=(0, 3))
    assert stage.launcher.calls[1:] == [("appoint", 2, but_not)] and stage.launcher.normal == [0, 3]


@pytest.mark.parametrize(
    "spec",
    [
        {"backoff": BackoffSpec(initial=0.1, factor=2.0, max=8.0, jitter=0.0, reset_after=30.0)},
        {"restart": "temporary"}, {"entrypoint": "m:f"}, {"env_file": "secrets.env"}, {"intensity": 0},
    ],
)  # fmt: skip
def test_nobody_is_appointed_where_more_is_to_be_known_first(spec: dict[str, Any]) -> None:
    assert appointed(**spec).launcher.calls == [("start", 1)]


def test_nobody_is_appointed_before_it_is_ready() -> None:
    stage = appointed(ready=ReadySpec(type="hello"))
    assert stage.launcher.calls == [("start", 1)]


def test_a_budget_that_is_used_up_appoints_nobody_until_it_has_room() -> None:
    stage = appointed(intensity=1, period=60.0)
    stage.died(code=1)
    stage.started()
    assert stage.launcher.calls == [("start", 1), APPOINTED, ("start", 2)]
    stage.clock.now += 61.0
    stage.died(code=1)
    stage.started()
    assert stage.launcher.calls[3:] == [("hold", 3), ("start", 3)], "it was not known in time"
    stage.clock.now += 61.0
    stage.say(RestartWorker("user"))
    stage.died(signal="SIGTERM")
    stage.started()
    assert stage.launcher.calls[-1] == ("appoint", 5, [75])


def test_the_budget_of_the_whole_tree_counts_too() -> None:
    stage = Stage(backoff=AT_ONCE)
    while stage.services.tree_budget.admit(stage.clock.now):
        pass
    stage.say(StartWorker("boot"))
    stage.started()
    assert stage.launcher.calls == [("start", 1)]


def test_a_budget_that_others_use_up_meanwhile_ends_who_has_begun() -> None:
    stage = appointed()
    while stage.services.tree_budget.admit(stage.clock.now):
        pass
    stage.died(code=1)
    assert stage.view.state == "failed" and stage.launcher.calls[2:] == [("discard", 2)]


@pytest.mark.parametrize("cause", ["user", "down"])
def test_a_stop_discards_it_before_the_first_signal(cause: str) -> None:
    stage = appointed()
    stage.say(StopWorker(cause))
    assert [call[0] for call in stage.launcher.calls[2:]] == ["discard", "signal"]
    stage.died(signal="SIGKILL")
    assert stage.view.state == "stopped" and stage.starts() == [1]


def test_a_restart_and_another_declaration_discard_it_and_appoint_anew() -> None:
    for message in (RestartWorker("user"), None):
        stage = appointed()
        stage.say(message or Reconfigure(stage.spec))
        assert [call[0] for call in stage.launcher.calls[2:]] == ["discard", "signal"]
        stage.died(signal="SIGTERM")
        stage.started()
        assert stage.launcher.calls[-2:] == [("start", 2), ("appoint", 3, [75])]
        assert stage.launcher.released == []


def test_a_code_that_means_no_restart_discards_it() -> None:
    stage = appointed(restart="transient")
    stage.died(code=0)
    assert stage.view.state == "exited" and stage.launcher.calls[-1] == ("discard", 2)
    stage.say(StartWorker("user"))
    assert stage.launcher.calls[-1] == ("start", 2) and stage.launcher.released == []


def test_a_launcher_that_dies_has_taken_it_along() -> None:
    stage = appointed()
    stage.say(LauncherGone())
    stage.say(LauncherBack())
    assert stage.launcher.calls[2:] == [("start", 2)] and stage.launcher.released == []


def test_a_launcher_that_does_not_know_the_dead_one_starts_it_when_it_is_released() -> None:
    stage = appointed()
    stage.say(Report(NotRunning("w", 1)))
    stage.settle()
    assert stage.launcher.released == [2]


def test_one_that_had_begun_and_is_not_wanted_is_in_the_log() -> None:
    stage = appointed()
    stage.say(StopWorker("user"))
    stage.say(Report(Withdrawn("w", 2, 4712)))
    assert [(e["incarnation"], e["pid"]) for e in stage.logged("withdrawn")] == [(2, 4712)]
    assert stage.view.incarnation == 1 and stage.view.state == "stopping"


def test_an_actor_that_takes_over_discards_what_may_have_begun() -> None:
    stage = appointed()
    stage.say(TakeOver("a bug"))
    assert stage.launcher.calls[2:] == [("discard", 1), ("discard", 2), ("kill", 1)]


def _hello(gate: Gate, token: str) -> str:
    event = Event("e", "2026-01-01T00:00:00.000Z", "w", "coordinator", "HELLO", None, "normal",
                  {"protocol": 1, "role": "agent", "token": token}, True)  # fmt: skip
    found = gate.admit(event, Peer(os.getpid(), os.geteuid()))
    return found.partition(":")[0] if isinstance(found, str) else str(found.incarnation)


def test_who_speaks_before_it_is_heard_of_is_to_come_again() -> None:
    gate = Gate("p", lambda pid: False)
    gate.declare("w")
    gate.hand_out("w", "first", 1)
    gate.announce("w", "second")
    assert [_hello(gate, token) for token in ("first", "second", "third", "")] == [
        "1", "unavailable", "forbidden", "forbidden"
    ]  # fmt: skip
    gate.withdraw("w")
    assert [_hello(gate, token) for token in ("first", "second")] == ["forbidden", "unavailable"]
    gate.hand_out("w", "second", 2)
    assert [_hello(gate, token) for token in ("first", "second")] == ["forbidden", "2"]
    gate.withdraw("w")
    assert _hello(gate, "second") == "forbidden"
