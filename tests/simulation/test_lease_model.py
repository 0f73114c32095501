"""The coordinator against a small model of the lease register, driven by hypothesis."""

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kortana.core.checkpoint import canonical
from kortana.core.commands import Boot
from tests.core.harness import Core

AGENTS = ["a", "b", "c"]
TASKS = ["s", "t", "u"]
statuses = st.sampled_from(["in_progress", "pending", "completed"])
agents, tasks = st.sampled_from(AGENTS), st.sampled_from(TASKS)


class Register:
    """One task: who holds it with which token until when; whether it is over. All that a lease register is."""

    def __init__(self) -> None:
        self.owner: str | None = None
        self.token: int | None = None
        self.until = 0.0
        self.completed = False
        self.tokens: list[int] = []


class LeaseMachine(RuleBasedStateMachine):
    TTL_S = 10.0

    @initialize()
    def begin(self) -> None:
        self.core = Core(lease_ttl_s=self.TTL_S, max_attempts=1000)
        self.core.up(*AGENTS)
        self.registers = {name: Register() for name in TASKS}
        for name in TASKS:
            self.core.add(name)

    def _expire(self) -> None:
        for register in self.registers.values():
            if register.owner is not None and register.until <= self.core.now:
                register.owner = register.token = None

    @rule(agent=agents, task=tasks)
    def claim(self, agent: str, task: str) -> None:
        register, answer = self.registers[task], self.core.claim(agent, task)
        granted = not register.completed and register.owner in (None, agent)
        assert answer["accepted"] == granted
        if not granted:
            assert answer["reason"] == ("task_terminal" if register.completed else "task_already_leased")
            return
        token = answer["lease"]["token"]
        if register.owner is None:
            assert token > max(register.tokens, default=0)
            register.tokens.append(token)
        else:
            assert token == register.token
        register.owner, register.token, register.until = agent, token, self.core.now + self.TTL_S

    def _reason(self, register: Register, agent: str, token: int | None) -> str:
        if register.completed:
            return "task_terminal"
        if token is not None and token != register.token:
            return "stale_lease"
        if register.owner is None:
            return "not_owner"
        return "" if register.owner == agent else f"task_owned_by_{register.owner}"

    def _speak(self, kind: str, agent: str, task: str, which: int, **payload: Any) -> str:
        register = self.registers[task]
        if which > 0 and register.tokens:
            payload["token"] = register.tokens[-min(which, len(register.tokens))]
        wanted = self._reason(register, agent, payload.get("token"))
        answer = self.core.say(agent, kind, task, **payload)
        assert (answer["accepted"], answer["reason"]) == (not wanted, wanted), (kind, payload)
        return wanted

    @rule(agent=agents, task=tasks, which=st.integers(0, 3))
    def heartbeat(self, agent: str, task: str, which: int) -> None:
        if not self._speak("HEARTBEAT", agent, task, which):
            self.registers[task].until = self.core.now + self.TTL_S

    @rule(agent=agents, task=tasks, which=st.integers(0, 3), status=statuses)
    def update(self, agent: str, task: str, which: int, status: str) -> None:
        register = self.registers[task]
        if not self._speak("TASK_UPDATE", agent, task, which, status=status) and status != "in_progress":
            register.owner = register.token = None
            register.completed = status == "completed"

    @rule(agent=agents, task=tasks, which=st.integers(0, 3))
    def release(self, agent: str, task: str, which: int) -> None:
        register = self.registers[task]
        if not self._speak("TASK_RELEASE", agent, task, which):
            register.owner = register.token = None

    @rule(agent=agents)
    def die(self, agent: str) -> None:
        self.core.down(agent)
        self.core.up(agent)
        for register in self.registers.values():
            if register.owner == agent:
                register.owner = register.token = None

    @rule(seconds=st.sampled_from([0.5, 4.0, 9.9, 10.0, 25.0]))
    def wait(self, seconds: float) -> None:
        self.core.pass_time(seconds)
        self._expire()

    @rule(task=tasks)
    def reset(self, task: str) -> None:
        self.core.say("operator", "TASK_RESET", task)
        register = self.registers[task]
        register.owner = register.token = None
        register.completed = False

    @rule()
    def restart(self) -> None:
        """The coordinator starts over from the journal; every live lease gets its full TTL again."""
        self.core.state = self.core.replayed()
        self.core.run(Boot(False, self.core.limits))
        for register in self.registers.values():
            register.until = self.core.now + self.TTL_S

    @invariant()
    def agrees(self) -> None:
        for name, register in self.registers.items():
            task = self.core.state.tasks[name]
            assert (task.owner, task.lease_token) == (register.owner, register.token)
            assert (task.status == "completed") == register.completed

    def teardown(self) -> None:
        if hasattr(self, "core"):
            self.core.check()
            assert canonical(self.core.replayed()) == canonical(self.core.state)


LeaseMachine.TestCase.settings = settings(
    max_examples=5000 if os.environ.get("KORTANA_LONG") else 150, stateful_step_count=60, deadline=None,
    derandomize=not os.environ.get("KORTANA_LONG"), print_blob=True,
)  # fmt: skip
TestLeaseRegister = LeaseMachine.TestCase
