"""The supervisor and its workers' actors, on fake processes, while those actors die at any message."""

import random
from typing import Any

import pykka
import pytest

from kortana.actors import control
from kortana.actors import supervisor as supervisor_module
from kortana.actors.budget import TreeBudget
from kortana.actors.crash_recorder import CrashRecorder
from kortana.actors.messages import (
    Control,
    Flush,
    Inspect,
    LauncherGone,
    LauncherReported,
    Report,
    ShutDown,
    StartWorker,
    StopWorker,
    TakeOver,
    WorkerActorDied,
)
from kortana.actors.reports import Reports
from kortana.actors.services import Services
from kortana.actors.supervisor import SupervisorActor
from kortana.actors.worker import WorkerActor
from kortana.actors.worker_view import LIVE, Worker
from kortana.config.spec import BackoffSpec, Config, SupervisorSpec, WorkerSpec
from kortana.ports import CrashSettings, ProcessExit, ProcessSpec
from kortana.processes.messages import Exited, NotRunning, OfWorker, Started, StartFailed
from kortana.protocol.calls import read_args
from kortana.protocol.codec import decode_event
from kortana.protocol.event import Event
from tests.actors.fakes import FakeClock, FakeCrashes, FakeGate, FakeTimer, Told

AT_ONCE = BackoffSpec(initial=0.0, factor=1.0, max=0.0, jitter=0.0, reset_after=0.0)
NAMES = ("a", "b", "c")


class Processes:
    """A launcher whose processes live in a table, and do at once what they are told."""

    def __init__(self, tell: Any, draw: random.Random) -> None:
        self._tell, self._draw = tell, draw
        self.live: set[tuple[str, int]] = set()
        self._held: set[tuple[str, int]] = set()
        self._appointed: dict[tuple[str, int], list[int]] = {}
        self._unheard: dict[tuple[str, int], list[Any]] = {}
        self.started: list[tuple[str, int]] = []
        self.slow = False
        """They end when the test says so, not when they are signalled."""

    def is_open(self) -> bool:
        return True

    def start(self, spec: ProcessSpec, held: bool = False) -> None:
        key = spec.worker, spec.incarnation
        self.discard(*key)
        if held:
            self._held.add(key)
        else:
            self._run(key)

    def start_after(
        self, spec: ProcessSpec, but_not: list[int], normal: list[int], settings: CrashSettings
    ) -> None:
        assert (spec.worker, spec.incarnation - 1) in self.live
        self._appointed[spec.worker, spec.incarnation] = but_not

    def _say(self, message: Any) -> None:
        self._unheard.get((message.worker, message.incarnation), _Teller(self._tell)).append(message)

    def _run(self, key: tuple[str, int]) -> None:
        assert not [other for other in self.live if other[0] == key[0]], f"two incarnations of {key[0]}"
        self.started.append(key)
        if self._draw.random() < 0.1:
            self._say(StartFailed(*key, "no such command"))
            return
        self.live.add(key)
        self._say(Started(*key, 4711, 1))

    def release(self, worker: str, incarnation: int) -> None:
        key = worker, incarnation
        unheard = self._unheard.pop(key, None)
        if unheard is not None:
            for message in unheard:
                self._tell(message)
        elif self._appointed.pop(key, None) is None:
            self._held.remove(key)
            self._run(key)
        else:
            self._run(key)

    def discard(self, worker: str, incarnation: int) -> None:
        key = worker, incarnation
        self._held.discard(key)
        self._appointed.pop(key, None)
        if self._unheard.pop(key, None) is not None:
            self.live.discard(key)

    def signal(self, worker: str, incarnation: int, number: int) -> None:
        if not self.slow:
            self.end((worker, incarnation), 0)

    def ask_stacks(self, worker: str, incarnation: int) -> None: ...

    def kill_tree(self, worker: str, incarnation: int) -> None:
        if not self.end((worker, incarnation), None):
            self._tell(NotRunning(worker, incarnation))

    def end(self, key: tuple[str, int], code: int | None) -> bool:
        if key not in self.live:
            return False
        self.live.remove(key)
        successor = key[0], key[1] + 1
        if code not in self._appointed.get(successor, [code]):
            del self._appointed[successor]
            self._unheard[successor] = []
            self._run(successor)
        how = ProcessExit(code, "SIGKILL" if code is None else None, False, 0.0, 0.0, 0, 0)
        self._say(Exited(*key, 4711, how))
        return True


class _Teller:
    """Where nothing is kept."""

    def __init__(self, tell: Any) -> None:
        self.append = tell


class FakeCore:
    def __init__(self) -> None:
        self.supervisor: Any = None
        self.answers: dict[str, dict[str, Any]] = {}
        self.bugs: list[Exception] = []

    def start(self, fresh: bool) -> dict[str, tuple[bool, int]]:
        return {}

    def tell_coordinator(self, message: Any) -> None: ...

    def declare(self, workers: Any) -> None: ...

    def ask_coordinator(self, message: Any, timeout_s: float) -> Any:
        if self.bugs:
            raise self.bugs.pop()
        return {"agents": {}}

    def finish(self) -> list[str]:
        return []

    def add_tasks(self, tasks: list[Any]) -> None: ...

    def check_tasks(self, config: Config) -> None: ...

    def changed_tasks(self, config: Config) -> dict[str, str]:
        return {}

    def answer_command(self, conn: int, body: bytes) -> None:
        payload = decode_event(body).payload
        self.answers[payload["ack_for_event_id"]] = payload


class House:
    """A supervisor with three workers."""

    def __init__(self, seed: int = 0, strategy: str = "one_for_one") -> None:
        self.draw = random.Random(seed)
        self.reports = Reports()
        self.processes = Processes(self.reports.pass_on, random.Random(seed + 1) if seed else _Never())
        self.core, self.events, self.codes = FakeCore(), [], []  # type: FakeCore, list[dict[str, Any]], list[int]
        self.clock = FakeClock()
        self.gate = _Gate()
        services = Services(
            self.processes, self.gate, self.clock, FakeTimer(), None, self.core.tell_coordinator, self._log,
            lambda: 0.0, self._process, TreeBudget(1 << 30, 60.0), strategy,
            CrashRecorder(FakeCrashes(), lambda agent, most: [], lambda agent: [], self._log),
        )  # fmt: skip
        specs = tuple(
            WorkerSpec(name=name, command=("true",), backoff=AT_ONCE, intensity=1 << 30, period=60.0) for name in NAMES
        )
        config = Config(project="p", path="kortana.yaml", data_dir="data", workers=specs,
                        supervisor=SupervisorSpec(strategy=strategy))  # fmt: skip
        self.workers: dict[str, Worker] = {}
        self.ref: Any = SupervisorActor.start(
            config, self.core, services, self.reports, self._log, self.codes.append, lambda: None, False, self.workers
        )
        self.ref.proxy().begin().get(timeout=30)
        self._asked = 0

    def _log(self, event: str, **fields: Any) -> None:
        self.events.append({"event": event, **fields})

    def _process(self, spec: WorkerSpec, name: str, incarnation: int, token: str) -> ProcessSpec:
        return ProcessSpec(name, incarnation, ["true"], None, ".", {}, "w.log", 1, 1, None, None)

    def command(self, command: str, args: dict[str, Any]) -> str:
        self._asked += 1
        name = f"c{self._asked}"
        event = Event(name, "2026-01-01T00:00:00.000Z", "operator", "coordinator", "COMMAND", None, "normal", {}, True)
        self.ref.tell(Control(1, event, command, read_args(command, args)))
        return name

    def settle(self) -> None:
        """Until nothing is told any more: three rounds through all actors without a new event."""
        quiet, seen = 0, -1
        while quiet < 3:
            for ref in (self.ref, *(worker.ref for worker in list(self.workers.values()))):
                try:
                    ref.ask(Inspect() if ref is self.ref else Flush(), timeout=30)
                except pykka.ActorDeadError:
                    assert ref is not self.ref, "the supervisor has died"
                    quiet = -1
                except pykka.Timeout:  # asked in the moment of its death: after pykka has looked, for the last time
                    assert not ref.is_alive()
                    quiet = -1
            quiet, seen = (quiet + 1 if len(self.events) == seen else 0), len(self.events)

    def check(self) -> None:
        """What runs is what the supervisor believes to run."""
        assert "supervisor_died" not in [event["event"] for event in self.events], self.events[-5:]
        believed = {(name, w.view.incarnation) for name, w in self.workers.items() if w.view.state in LIVE}
        assert believed == self.processes.live


    def states(self) -> dict[str, str]:
        return {name: worker.view.state for name, worker in self.workers.items()}

    def end(self, worker: str, code: int | None = 0) -> None:
        assert self.processes.end((worker, self.workers[worker].view.incarnation), code)
        self.settle()


class _Gate(FakeGate):
    def __init__(self) -> None:
        super().__init__()
        self.declared: set[str] = set()

    def declare(self, worker: str) -> None:
        self.declared.add(worker)

    def undeclare(self, worker: str) -> None:
        self.declared.discard(worker)


class _Never(random.Random):
    def random(self) -> float:
        return 1.0


class _Dead(Told):
    """The ref of an actor that has died."""

    def tell(self, message: Any) -> None:
        raise pykka.ActorDeadError


class Bug(Exception):
    pass


@pytest.mark.timeout(300)
@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("seed", range(1, 7))
def test_workers_actors_that_die_at_any_message_cost_nobody_else_anything(
    seed: int, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "ACTOR_INTENSITY", 1 << 30)
    house = House(seed, strategy)
    draw, rate = house.draw, 0.15
    careful, buggy = WorkerActor.on_receive, random.Random(seed + 2)

    def careless(self: WorkerActor, message: Any) -> Any:
        if not isinstance(message, Flush | TakeOver) and buggy.random() < rate:
            raise Bug(repr(message))
        return careful(self, message)

    monkeypatch.setattr(WorkerActor, "on_receive", careless)
    for _ in range(60):
        what = draw.choice(["stop", "start", "restart", "exit", "exit", "kill", "scale"])
        if what == "scale":
            house.command(what, {"counts": {draw.choice(NAMES): draw.randrange(1, 4)}})
        elif what in ("stop", "start", "restart"):
            house.command(what, {"names": [draw.choice(NAMES)]})
        else:
            for key in sorted(house.processes.live)[: draw.randrange(1, 3)]:
                house.processes.end(key, None if what == "kill" else draw.choice([0, 3]))
        if draw.random() < 0.5:
            house.settle()
    rate = 0.0
    house.settle()
    house.check()
    assert [event for event in house.events if event["event"] == "actor_died"]
    wanted = house.command("start", {})
    house.settle()
    house.check()
    assert set(house.core.answers) >= {wanted}
    house.ref.tell(ShutDown("the test is over", 0))
    house.settle()
    assert house.processes.live == set() and house.codes == [0]


def test_ps_tells_how_long_the_tree_is_up_by_the_clock_that_nobody_sets() -> None:
    house = House()
    house.clock.now += 100.0
    asked = house.command("ps", {})
    house.settle()
    assert house.core.answers[asked]["result"]["uptime_s"] == 100.0


class _FewThreads:
    """The system allows so many more threads for actors."""

    def __init__(self, left: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = left
        start = pykka.ThreadingActor._start_actor_loop

        def start_if_allowed(actor: pykka.ThreadingActor) -> None:
            if not self.left:
                raise RuntimeError("can't start new thread")
            self.left -= 1
            start(actor)

        monkeypatch.setattr(pykka.ThreadingActor, "_start_actor_loop", start_if_allowed)


def test_workers_for_which_there_are_no_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    house.settle()
    threads = _FewThreads(3, monkeypatch)
    refused = house.command("scale", {"counts": {"a": 5}})
    house.settle()
    answer = house.core.answers[refused]
    assert (answer["accepted"], answer["reason"]) == (False, "out_of_threads")
    assert "ulimit -u" in answer["result"]["detail"] and "nothing was changed" in answer["result"]["detail"]
    assert house.states() == {"a": "running", "b": "running", "c": "running"}
    assert house.gate.declared == {"a", "b", "c"}
    threads.left = 5
    done = house.command("scale", {"counts": {"a": 5}})
    house.settle()
    assert house.core.answers[done]["accepted"]
    assert sorted(house.states()) == ["a-1", "a-2", "a-3", "a-4", "a-5", "b", "c"]
    house.ref.tell(ShutDown("the test is over", 0))
    house.settle()
    assert house.processes.live == set() and house.codes == [0]


def test_a_worker_that_goes_while_it_is_declared_again_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is at rest, the supervisor has not seen it off yet, and does so in the midst of the command."""
    house = House()
    house.settle()
    with monkeypatch.context() as patch:
        patch.setattr(SupervisorActor, "_see_off", lambda self: None)
        house.command("scale", {"counts": {"a": 2}})
        house.settle()
    assert house.states() == {"a": "stopped", "a-1": "running", "a-2": "running", "b": "running", "c": "running"}
    house.command("scale", {"counts": {"a": 1}})
    house.settle()
    assert house.states() == {"a": "running", "b": "running", "c": "running"}
    assert "command_failed" not in [event["event"] for event in house.events]
    house.check()


def test_a_tree_for_which_there_are_not_enough_threads_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    _FewThreads(4, monkeypatch)  # the recorder's two, the supervisor's, and one worker's
    with pytest.raises(OSError, match="no more threads"):
        House()


def test_what_a_dead_actor_had_not_read_is_read_by_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's stop stands behind the message that it dies of."""
    house = House()
    house.settle()
    old = house.workers["a"].ref

    def die(self: WorkerActor) -> None:
        self.actor_ref.tell(StopWorker("user"))
        raise Bug

    monkeypatch.setattr(WorkerActor, "_on_launcher_gone", die)
    old.tell(LauncherGone())
    house.settle()
    assert house.workers["a"].ref is not old
    assert house.states() == {"a": "stopped", "b": "running", "c": "running"}
    house.check()


def a_group_that_ends() -> House:
    """b has crashed, and a and c are stopping because of that."""
    house = House(strategy="one_for_all")
    house.settle()
    house.processes.slow = True
    house.end("b", 3)
    assert house.states() == {"a": "stopping", "b": "backoff", "c": "stopping"}
    return house


def test_a_group_ends_and_starts_together() -> None:
    house = a_group_that_ends()
    house.end("c")
    assert house.states() == {"a": "stopping", "b": "backoff", "c": "stopped"}
    house.end("a")
    assert house.states() == {"a": "running", "b": "running", "c": "running"}


def test_nobody_starts_again_when_all_is_to_end() -> None:
    house = a_group_that_ends()
    house.ref.tell(ShutDown("the test is over", 0))
    house.settle()
    started = len(house.processes.started)
    for name in ("a", "c"):
        house.end(name)
    assert len(house.processes.started) == started and house.codes == [0]
    assert set(house.states().values()) == {"stopped"}


def test_a_restart_that_is_under_way_ends_with_everything_else() -> None:
    house = House()
    house.settle()
    house.processes.slow = True
    house.command("restart", {"names": ["a"]})
    house.settle()
    house.ref.tell(ShutDown("the test is over", 0))
    house.settle()
    for name in NAMES:
        house.end(name)
    assert len(house.processes.started) == len(NAMES) and house.codes == [0]


def a_group_that_ended_while(command: str, args: dict[str, Any]) -> House:
    """Somebody gave a command meanwhile."""
    house = a_group_that_ends()
    house.command(command, args)
    house.settle()
    for name in ("a", "c"):
        house.end(name)
    return house


def test_who_is_stopped_by_a_person_meanwhile_stays_stopped() -> None:
    house = a_group_that_ended_while("stop", {"names": ["a"]})
    assert house.states() == {"a": "stopped", "b": "running", "c": "running"}


def test_who_is_started_by_a_person_meanwhile_is_not_waited_for() -> None:
    house = a_group_that_ended_while("restart", {"names": ["a"]})
    assert house.states() == {"a": "running", "b": "running", "c": "running"}
    assert dict(house.processes.started)["a"] == 2


@pytest.mark.parametrize("removed", ["a", "b"])
def test_who_is_removed_meanwhile_is_not_waited_for(removed: str) -> None:
    house = a_group_that_ended_while("scale", {"counts": {removed: 2}})
    kept = {"a", "b", "c"} - {removed}
    assert house.states() == dict.fromkeys([*kept, f"{removed}-1", f"{removed}-2"], "running")
    house.check()


def test_what_comes_for_an_actor_that_is_dead_waits_for_the_next_one() -> None:
    first, second = Told(), Told()
    worker = Worker(WorkerSpec(name="w", command=("true",)), "w")
    worker.ref = first
    worker.tell(StartWorker("boot"))
    worker.ref = _Dead()
    worker.tell(StopWorker("user"))
    worker.hand_over(second, [TakeOver("a bug")])
    assert first.messages == [StartWorker("boot")]
    assert second.messages == [TakeOver("a bug"), StopWorker("user")]


def test_a_report_for_a_dead_actor_goes_by_the_supervisor() -> None:
    reports, boss = Reports(), Told()
    reports.supervisor = boss
    reports.enlist("w", _Dead())
    message: OfWorker = NotRunning("w", 1)
    for each in (message, NotRunning("nobody", 1), None):
        reports.pass_on(each)
    assert boss.messages == [LauncherReported(message), LauncherReported(None)]
    reports.enlist("w", alive := Told())
    reports.pass_on(message)
    assert alive.messages == [Report(message)]


def test_an_old_actors_death_changes_nothing() -> None:
    house = House()
    house.settle()
    before = house.workers["a"].ref
    house.ref.tell(WorkerActorDied("a", object(), "late"))
    house.ref.tell(WorkerActorDied("gone", object(), "late"))
    house.settle()
    assert house.workers["a"].ref is before
    house.check()


def test_a_command_that_fails_is_answered_and_ends_nothing() -> None:
    house = House()
    house.core.bugs.append(Bug("in a query"))
    failed, after = house.command("ps", {}), house.command("ps", {})
    house.settle()
    assert house.core.answers[failed]["reason"] == "internal_error"
    assert "in a query" in house.core.answers[failed]["result"]["detail"]
    assert house.core.answers[after]["accepted"]
    house.check()


def test_commands_that_wait_are_bounded_and_down_is_always_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_PENDING", 2)
    house = a_group_that_ends()
    asked = [house.command("wait", {}) for _ in range(3)]
    seen = house.command("ps", {})
    house.settle()
    assert [house.core.answers.get(name, {}).get("reason") for name in asked] == [None, None, "unavailable"]
    assert house.core.answers[seen]["accepted"]
    down = house.command("down", {})
    for name in ("a", "c"):
        house.end(name)
    assert house.core.answers[down]["accepted"] and house.codes == [0]
    assert {house.core.answers[name]["reason"] for name in asked[:2]} == {"not_ready"}
