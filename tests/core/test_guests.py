"""Guests come and go under ever new names: what is kept of those who have gone is bounded, and the same in a replay."""

import random

import msgspec
import pytest

from kortana.core import state as state_module
from kortana.core.checkpoint import Checkpoint, canonical, rest_of, restore
from kortana.core.commands import AgentUp, Boot, Disconnect
from tests.core.harness import Core

KEPT = 3


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> Core:
    monkeypatch.setattr(state_module, "GONE_KEPT", KEPT)
    made = Core()
    made.up("worker")
    for number in range(4):
        made.add(f"t{number}")
    return made


def come(core: Core, name: str) -> None:
    core.run(AgentUp(name, 100, 0, supervised=False))


def go(core: Core, name: str) -> None:
    core.run(Disconnect(1, name, tied=False, last=True))


def same_everywhere(core: Core) -> None:
    core.check()
    assert canonical(core.replayed()) == canonical(core.state)
    rest = msgspec.structs.asdict(rest_of(core.state))
    stored = msgspec.json.encode(Checkpoint(**rest, tasks=core.state.tasks))
    restored = restore(msgspec.json.decode(stored, type=Checkpoint))
    assert canonical(restored) == canonical(core.state)
    assert list(restored.gone) == list(core.state.gone)


def test_who_has_been_gone_longest_is_forgotten(core: Core) -> None:
    for number in range(6):
        come(core, f"g{number}")
    for number in (5, 0, 1, 2, 3, 4):
        go(core, f"g{number}")
    assert list(core.state.gone) == ["g2", "g3", "g4"] and set(core.state.agents) == {"worker", "g2", "g3", "g4"}
    come(core, "g3")
    assert list(core.state.gone) == ["g2", "g4"]
    same_everywhere(core)


def test_whoever_holds_a_task_is_not_forgotten_and_what_waits_for_the_others_is(core: Core) -> None:
    come(core, "holder")
    core.claim("holder", "t0")
    go(core, "holder")
    for number in range(5):
        come(core, f"g{number}")
        go(core, f"g{number}")
    core.say("worker", "INFO", target="all", text="x")
    assert set(core.state.gone) == {"holder", "g3", "g4"}
    assert [len(core.state.agents[name].mailbox) for name in core.state.gone] == [1, 1, 1]
    same_everywhere(core)
    come(core, "g0")
    assert not core.state.agents["g0"].mailbox
    assert core.claim("g0", "t1")["accepted"]


def test_a_supervised_worker_is_never_forgotten(core: Core) -> None:
    core.down("worker")
    for number in range(5):
        come(core, f"g{number}")
        go(core, f"g{number}")
    assert "worker" in core.state.agents
    same_everywhere(core)


@pytest.mark.parametrize("seed", range(40))
def test_any_coming_and_going_folds_to_the_same(core: Core, seed: int) -> None:
    draw = random.Random(seed)
    names = [f"g{number}" for number in range(8)]
    for _ in range(60):
        name = draw.choice(names)
        agent = core.state.agents.get(name)
        is_up = agent is not None and agent.up
        match draw.randrange(6):
            case 0 | 1 if not is_up:
                come(core, name)
            case 2 if is_up:
                go(core, name)
            case 3 if is_up:
                core.claim(name)
            case 4 if is_up:
                core.say(name, "INFO", target="all", text=name)
            case 5 if draw.random() < 0.3:
                core.pass_time(130.0) if draw.random() < 0.5 else core.run(Boot(draw.random() < 0.5, core.limits))
        held = sum(bool(core.state.agents[gone].tasks) for gone in core.state.gone)
        assert len(core.state.gone) <= max(KEPT, held + 1)
    same_everywhere(core)
