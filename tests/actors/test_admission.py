"""When an agent was last heard, and last got anywhere: what a worker is ended by as hung."""

from typing import Any

from kortana.actors.admission import Gate
from kortana.actors.coordinator import CoordinatorActor, Stats
from kortana.actors.messages import DeadlineDue, InboundReady
from kortana.core.state import Limits, State
from kortana.protocol.codec import encode_json
from kortana.protocol.event import Event
from kortana.transport.connection import Frame
from tests.simulation.world import Clock, Connection, Inbox, Mailbox


class Stage:
    """The real coordinator and gate, on a clock that stands; the worker `w` has said HELLO."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.gate = Gate("p", lambda pid: False, monotonic=self.clock.monotonic)
        self.gate.declare("w")
        self.gate.hand_out("w", "token", 1)
        self.gate.saw("w", self.clock.now)
        self.ids = 0
        self.begin()

    def begin(self, unavailable: str = "") -> None:
        """A coordinator, in place of the one before, and on a state without its connections."""
        hub: Any = object()
        told: Any = Mailbox()
        inbox: Any = Inbox(self.clock)
        self.coordinator = CoordinatorActor(
            State(Limits()), hub, self.gate, self.clock, told, 1, Stats(), True, inbox, told, Limits(), unavailable
        )
        self.coordinator.begin([])
        self.connection: Any = Connection(1, "w", 1)

    def say(self, kind: str, task: str | None = None, **payload: Any) -> None:
        self.ids += 1
        stamp = "2026-01-01T00:00:00.000Z"
        event = Event(f"e{self.ids}", stamp, "w", "coordinator", kind, task, "normal", payload, True)
        self.coordinator.on_receive(InboundReady([Frame(self.connection, event, encode_json(event))]))

    def silent(self) -> float:
        last = self.gate.last_seen("w")
        assert last is not None
        return self.clock.now - last

    def idle(self) -> float:
        """How long it has got nowhere."""
        last = self.gate.last_progress("w")
        assert last is not None
        return self.clock.now - last


def test_who_waits_for_a_claim_is_not_silent_and_neither_is_whose_wait_has_just_ended() -> None:
    stage = Stage()
    stage.say("TASK_CLAIM", wait_s=600.0)
    stage.clock.now += 599.0
    assert stage.silent() == 0.0
    stage.clock.now += 1.0
    stage.coordinator.on_receive(DeadlineDue())
    assert stage.silent() == 0.0
    stage.clock.now += 5.0
    assert stage.silent() == 5.0


def test_a_claim_granted_after_a_long_wait_is_where_progress_is_counted_from() -> None:
    stage = Stage()
    stage.say("TASK_CLAIM", wait_s=600.0)
    stage.clock.now += 500.0
    stage.say("TASK_ADD", "t")
    assert stage.coordinator._state.tasks["t"].owner == "w"
    stage.clock.now += 7.0
    assert (stage.silent(), stage.idle()) == (7.0, 7.0)


def test_who_waited_when_the_coordinator_died_has_all_its_time_to_come_back() -> None:
    stage = Stage()
    stage.say("TASK_CLAIM", wait_s=600.0)
    stage.clock.now += 300.0
    stage.begin()
    assert stage.silent() == 0.0
    stage.clock.now += 3.0
    assert stage.silent() == 3.0


def test_who_is_refused_because_the_disk_is_full_has_spoken() -> None:
    stage = Stage()
    stage.begin(unavailable="the disk is full")
    stage.clock.now += 50.0
    stage.say("HEARTBEAT")
    assert stage.silent() == 0.0


def test_the_dead_stay_unheard_of() -> None:
    stage = Stage()
    stage.say("TASK_CLAIM", wait_s=600.0)
    stage.gate.withdraw("w")
    stage.clock.now += 600.0
    stage.coordinator.on_receive(DeadlineDue())
    assert stage.gate.last_seen("w") is None
