"""A coordinator without actors: commands in, records and messages out, on a clock that the test moves."""

from typing import Any

from kortana.core.commands import AgentDown, AgentUp, Command, Submit, Tick
from kortana.core.decide import decide
from kortana.core.evolve import evolve
from kortana.core.invariants import neglected, violations
from kortana.core.state import Limits, State
from kortana.core.turn import Turn
from kortana.core.verify import verify
from kortana.protocol.codec import decode_strict, encode_json
from kortana.protocol.event import Event, Record


class Core:
    """Drives the pure coordinator and keeps all that it said."""

    def __init__(self, **limits: Any) -> None:
        self.limits = Limits(**limits)
        self.state = State(self.limits)
        self.now = 0.0
        self.records: list[Record] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.delivered: list[tuple[str, dict[str, Any]]] = []
        self._count = 0

    def run(self, command: Command) -> None:
        turn = Turn(self.state, self.now, 1_700_000_000_000 + round(self.now * 1000))
        decide(turn, command)
        self.records += turn.records
        for _, body in turn.replies:
            payload = decode_strict(body)["payload"]
            self.answers[payload["ack_for_event_id"]] = payload
        self.delivered += [(agent, decode_strict(body)) for agent, body in turn.deliveries]
        if self.state.waiters:
            assert neglected(self.state) == []

    def up(self, *names: str, capabilities: tuple[str, ...] = ()) -> None:
        for name in names:
            self.run(AgentUp(name, 100, 1, True, capabilities))

    def down(self, name: str, clean: bool = False) -> None:
        self.run(AgentDown(name, 1, clean, "SIGKILL"))

    def event(self, source: str, kind: str, task: str | None = None, event_id: str = "", **payload: Any) -> Event:
        self._count += 1
        return Event(
            event_id or f"e{self._count}", "2026-01-01T00:00:00.000Z", source, payload.pop("target", "coordinator"),
            kind, task, "normal", payload, True,
        )  # fmt: skip

    def send(self, event: Event, conn: int = 1, tied: bool = False) -> dict[str, Any] | None:
        """Submits; gives the answer's payload, or None where there is none yet."""
        self.run(Submit(event, encode_json(event), conn, tied))
        return self.answers.get(event.id)

    def say(self, source: str, kind: str, task: str | None = None, **payload: Any) -> Any:
        return self.send(self.event(source, kind, task, **payload))

    def add(self, name: str, **spec: Any) -> Any:
        return self.say("operator", "TASK_ADD", name, **spec)

    def claim(self, agent: str, task: str | None = None, **payload: Any) -> Any:
        return self.say(agent, "TASK_CLAIM", task, **payload)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.run(Tick(self.now))

    def status(self, task: str) -> str:
        return self.state.tasks[task].status

    def told(self, agent: str, kind: str = "DIRECTIVE") -> list[dict[str, Any]]:
        return [e["payload"] for name, e in self.delivered if name == agent and e["event_type"] == kind]

    def replayed(self) -> State:
        state = State(self.limits)
        for record in self.records:
            evolve(state, record, 0.0)
        return state

    def check(self) -> None:
        """What must hold after every scenario."""
        assert violations(self.state) == []
        verify(iter(self.records), self.limits)
