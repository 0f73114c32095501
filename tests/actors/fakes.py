"""What a worker actor talks to, as lists that a test reads."""

from typing import Any

from kortana.actors.budget import TreeBudget
from kortana.actors.crash_recorder import CrashRecorder
from kortana.actors.messages import Alarm, CancelTimer, HearAll, Report, SetTimer, StartWorker
from kortana.actors.services import Services
from kortana.actors.worker import WorkerActor
from kortana.actors.worker_view import WorkerView
from kortana.config.spec import BackoffSpec, WorkerSpec
from kortana.ports import CrashSettings, ProcessExit, ProcessSpec
from kortana.processes.messages import Exited, Started


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return round(self.now * 1000)


class Told:
    """An actor ref that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def tell(self, message: Any) -> None:
        self.messages.append(message)


class FakeTimer(Told):
    def pending(self) -> dict[str, SetTimer]:
        """Alarm name → the timer that is set."""
        found: dict[str, SetTimer] = {}
        for message in self.messages:
            if isinstance(message, SetTimer):
                found[message.key[1]] = message
            elif isinstance(message, CancelTimer):
                found.pop(message.key[1], None)
        return found


class FakeLauncher:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.broken = False
        self.gone = False
        self.released: list[int] = []

    def is_open(self) -> bool:
        return not self.gone

    def start(self, spec: ProcessSpec, held: bool = False) -> None:
        if self.broken:
            raise RuntimeError("a bug in the launcher's link")
        self.calls.append(("hold" if held else "start", spec.incarnation))

    def start_after(
        self, spec: ProcessSpec, but_not: list[int], normal: list[int], settings: CrashSettings
    ) -> None:
        self.calls.append(("appoint", spec.incarnation, but_not))
        self.normal = normal

    def release(self, worker: str, incarnation: int) -> None:
        self.calls.append(("start", incarnation))
        self.released.append(incarnation)

    def discard(self, worker: str, incarnation: int) -> None:
        self.calls.append(("discard", incarnation))

    def signal(self, worker: str, incarnation: int, number: int) -> None:
        self.calls.append(("signal", incarnation, int(number)))

    def ask_stacks(self, worker: str, incarnation: int) -> None:
        self.calls.append(("stacks", incarnation))

    def kill_tree(self, worker: str, incarnation: int) -> None:
        self.calls.append(("kill", incarnation))


class FakeGate:
    def __init__(self) -> None:
        self.seen: float | None = None

    def declare(self, worker: str) -> None: ...
    def hand_out(self, worker: str, token: str, incarnation: int) -> None: ...
    def withdraw(self, worker: str) -> None: ...
    def announce(self, worker: str, token: str) -> None: ...
    def last_seen(self, agent: str) -> float | None:
        return self.seen


class FakeCrashes:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def read(self, crash_id: str) -> dict[str, Any] | None:
        return next((record for record in self.records if record["id"] == crash_id), None)

    def sync(self) -> None: ...


class Stage:
    """One worker actor, and hands on everything around it. `ask` makes each step finish before the next."""

    def __init__(self, **spec: Any) -> None:
        spec.setdefault("backoff", BackoffSpec(initial=1.0, factor=2.0, max=8.0, jitter=0.0, reset_after=30.0))
        self.clock, self.timer, self.launcher, self.gate = FakeClock(), FakeTimer(), FakeLauncher(), FakeGate()
        self.supervisor = Told()
        self.coordinator: list[Any] = []
        self.events: list[dict[str, Any]] = []
        self.crashes = FakeCrashes()
        self.recorder = CrashRecorder(self.crashes, lambda agent, most: [], lambda agent: [], self._log)
        self.services = Services(
            self.launcher, self.gate, self.clock, self.timer, self.supervisor, self.coordinator.append, self._log,
            lambda: 0.0, self._process, TreeBudget(100, 60.0), "one_for_one", self.recorder,
        )  # fmt: skip
        self.spec = WorkerSpec(name="w", **({} if "entrypoint" in spec else {"command": ("true",)}), **spec)
        self.view = WorkerView("w")
        self.ref: Any = WorkerActor.start(self.spec, "w", self.services, self.view)

    def _log(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})

    def _process(self, spec: WorkerSpec, name: str, incarnation: int, token: str) -> ProcessSpec:
        return ProcessSpec(name, incarnation, ["true"], None, ".", {}, "w.log", 1, 1, None, None)

    def say(self, message: Any) -> None:
        self.ref.ask(message, timeout=30)

    def settle(self) -> None:
        """Lets what the actor has told itself be handled."""
        self.ref.ask(Report(Started("w", -1, 0, 0)), timeout=30)

    def started(self) -> None:
        self.say(Report(Started("w", self.view.incarnation, 4711, 99)))

    def died(self, code: int | None = None, signal: str | None = None) -> None:
        how = ProcessExit(code, signal, False, 0.0, 0.0, 0, 0)
        self.say(Report(Exited("w", self.view.incarnation, 4711, how)))
        self.settle()

    def ring(self, name: str) -> None:
        """Time passes until that alarm is due."""
        timer = self.timer.pending()[name]
        self.clock.now = max(self.clock.now, timer.due)
        assert isinstance(timer.message, Alarm)
        self.say(timer.message)
        while asked := [message for message in self.coordinator if isinstance(message, HearAll)]:
            self.coordinator.remove(asked[0])
            self.say(asked[0].answer)
        self.settle()

    def starts(self) -> list[int]:
        return [call[1] for call in self.launcher.calls if call[0] == "start"]

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [item for item in self.events if item["event"] == event]

    def told(self, kind: type) -> list[Any]:
        return [m for m in self.supervisor.messages if isinstance(m, kind)]


def running(**spec: Any) -> Stage:
    """Its worker has been started, and runs."""
    stage = Stage(**spec)
    stage.say(StartWorker("boot"))
    stage.started()
    return stage
