"""Coordinator and persistence as one unit: started in order on the recovered state, stopped, flushed."""

from collections.abc import Callable, Iterable
from typing import Any

import pykka

from kortana.actors.admission import Gate
from kortana.actors.applying import changed_tasks, check_cycles
from kortana.actors.coordinator import CoordinatorActor, Stats
from kortana.actors.inboxes import HubInbox
from kortana.actors.messages import Decide, Flush, FlushSnapshots
from kortana.actors.persistence import PersistenceActor, SnapshotActor
from kortana.config.spec import Config
from kortana.core.commands import Configure, Declare, Submit
from kortana.core.limits import Limits
from kortana.core.state import State
from kortana.core.views import unfinished
from kortana.ports import Clock, Journal, Reserve, Snapshots
from kortana.protocol.codec import encode_json
from kortana.protocol.event import Event, Record
from kortana.transport.hub import Hub

START_TIMEOUT_S = 60.0
FLUSH_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class CoreActors:
    """Starts over from the journal whenever one of the two has died; the hub and its connections live on.

    recover: gives the state in the journal, and a journal to append to, or only to read. seeds: the tasks of
    kortana.yaml. limits: the coordinator's settings. task_event: the TASK_ADD of a declared task. reserve: the room
    on the disk that is kept for worse times.
    """

    def __init__(
        self,
        recover: Callable[[bool], tuple[State, Journal]],
        snapshots: Snapshots,
        hub: Hub,
        gate: Gate,
        clock: Clock,
        seeds: list[Event],
        watch: Callable[[list[Record]], None] | None,
        log: Callable[..., None],
        reserve: Reserve,
        limits: Limits,
        task_event: Callable[[Any], Event],
    ) -> None:
        self.limits = limits
        self._task_event = task_event
        self._recover, self._hub, self._gate, self._clock = recover, hub, gate, clock
        self._seeds, self._watch = seeds, watch
        self._reserve = reserve
        self.unavailable = ""
        """Why nothing can be journaled just now; what there is can be read."""
        self.generation = 0
        self.stats = Stats()
        self.supervisor: Any = None
        self._starting: Any = None
        self._coordinator: Any = None
        """Set once it has begun."""
        self._persistence: Any = None
        self._journal: Journal | None = None
        self._counts: dict[str, int] = {}
        self._state: State | None = None
        self.left_over: list[dict[str, Any]] = []
        """Tasks that were not completed, and why, where the tree ends because of that."""
        self._writer = SnapshotActor.start(snapshots, lambda error: log("snapshot_failed", error=str(error)))

    def start(self, fresh: bool, unavailable: str = "") -> dict[str, tuple[bool, int]]:
        """Recovers, starts persistence, then the coordinator. Gives agent → (up, incarnation) as recovered.

        unavailable: why there is only reading for now; empty where the journal takes records.
        """
        self.generation += 1
        self.unavailable = unavailable
        if unavailable:
            self._reserve.give_up()
        else:
            self._reserve.take()
        state, journal = self._recover(not unavailable)
        self._journal = journal
        agents = {agent.name: (agent.up, agent.incarnation) for agent in state.agents.values()}
        inbox = HubInbox(self._hub)
        self._persistence = PersistenceActor.start(
            journal, self._hub, inbox, self._watch, self.supervisor, self.generation, self._writer
        )
        coordinator = self._starting = CoordinatorActor.start(
            state, self._hub, self._gate, self._clock, self.supervisor, self.generation, self.stats, fresh, inbox,
            self._persistence, self.limits, unavailable,
        )  # fmt: skip
        coordinator.proxy().begin(self._seeds).get(timeout=START_TIMEOUT_S)
        self._coordinator = coordinator
        self._counts = state.counts
        self._state = state
        return agents

    def held_by(self, agent: str) -> list[dict[str, Any]]:
        """The tasks and tokens that an agent has leases on. Any thread."""
        state = self._state
        found = state.agents.get(agent) if state is not None else None
        if state is None or found is None:
            return []
        tasks = [state.tasks[name] for name in list(found.tasks) if name in state.tasks]
        return [{"task": task.id, "token": task.lease_token, "attempts": task.attempts} for task in tasks]

    def configure(self, limits: Limits) -> None:
        """Other settings, from now on and after a restart of the two."""
        self.limits = limits
        self.tell_coordinator(Decide(Configure(limits)))

    def declare(self, workers: Iterable[str]) -> None:
        """Workers that may not have come up yet. A guest that has carried such a name is cut off."""
        names = tuple(workers)
        self.tell_coordinator(Decide(Declare(names)))
        for name in names:
            self._hub.cut_guests(name)

    def add_tasks(self, tasks: list[Any]) -> None:
        """Declared tasks that are not there yet."""
        events = [self._task_event(task) for task in tasks]
        self._seeds += events
        for event in events:
            self.tell_coordinator(Decide(Submit(event, encode_json(event), 0)))

    def check_tasks(self, config: Config) -> None:
        """Raises TaskCycleError. Any thread."""
        if self._state is not None:
            check_cycles(self._state, config)

    def changed_tasks(self, config: Config) -> dict[str, str]:
        """See `applying.changed_tasks`. Any thread."""
        return changed_tasks(self._state, config) if self._state is not None else {}

    def has_task(self, name: str) -> bool:
        """Any thread."""
        return self._state is not None and name in self._state.tasks

    def has_agent(self, name: str) -> bool:
        """Any thread."""
        return self._state is not None and name in self._state.agents

    def has_room(self) -> bool:
        """Whether it is worth while to try the journal again."""
        return self._reserve.take()

    def counts(self) -> dict[str, int]:
        """Status → number of tasks, as it is or as it last was."""
        return dict(self._counts)

    def unfinished(self) -> list[dict[str, Any]]:
        """After the end: tasks that were not completed, and why (`core.views`)."""
        if self.left_over:
            return self.left_over
        return [] if self._state is None else unfinished(self._state)

    def tell_coordinator(self, message: Any) -> None:
        """While it is being restarted a message is lost; the supervisor brings the new one up to date."""
        coordinator = self._coordinator
        if coordinator is not None and coordinator.is_alive():
            coordinator.tell(message)

    def ask_coordinator(self, message: Any, timeout_s: float) -> Any:
        """Raises pykka.Timeout, and pykka.ActorDeadError while it is being restarted."""
        if self._coordinator is None:
            raise pykka.ActorDeadError("the coordinator is being restarted")
        return self._coordinator.ask(message, timeout=timeout_s)

    def answer_command(self, conn: int, body: bytes) -> None:
        """Answers on a connection what has nothing to do with the journal."""
        self._hub.end_command(conn, body)

    def stop(self) -> None:
        """Ends both, and cuts the connections, so that clients repeat what was not answered."""
        for ref in (self._starting, self._persistence):
            if ref is not None and ref.is_alive():
                ref.stop(timeout=STOP_TIMEOUT_S)
        self._starting = self._coordinator = None
        if self._journal is not None:
            self._journal.close()
        self._hub.cut_all()

    def finish(self) -> list[str]:
        """A last snapshot and checkpoint, everything durable and written; then both end.

        Gives what could not be done: the journal alone is enough to go on from.
        """
        if self._coordinator is None:
            return ["the coordinator was being restarted"]
        steps = (
            (self._coordinator, FlushSnapshots()), (self._persistence, Flush()), (self._writer, Flush()),
        )  # fmt: skip
        unfinished = []
        for ref, message in steps:
            try:
                ref.ask(message, timeout=FLUSH_TIMEOUT_S)
                ref.stop(timeout=FLUSH_TIMEOUT_S)
            except (pykka.Timeout, pykka.ActorDeadError) as error:
                unfinished.append(repr(error))
        if self._journal is not None:
            self._journal.close()
        return unfinished
