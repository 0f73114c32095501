"""The production coordinator, persistence and journal, driven by one seed: simulated time, disk, network and agents."""

import random
from collections import deque
from pathlib import Path
from typing import Any

from kortana.actors.coordinator import CoordinatorActor, Stats
from kortana.actors.messages import Commit, DeadlineDue, Decide, InboundReady, SnapshotWritten, WriteSnapshot
from kortana.actors.persistence import PersistenceActor
from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.recovery import recover
from kortana.adapters.files.segments import first_available
from kortana.adapters.files.snapshots import FileSnapshots
from kortana.core.checkpoint import canonical
from kortana.core.commands import AgentDown, AgentUp
from kortana.core.evolve import evolve
from kortana.core.invariants import neglected, violations
from kortana.core.state import Limits, State
from kortana.core.verify import verify
from kortana.ports import JournalFault
from kortana.protocol.codec import decode_strict, encode_json
from kortana.protocol.event import Event, Record
from kortana.transport.connection import Frame, Gone
from tests.simulation.disk import Crash, FaultyOs, LateSync

PATHS = {
    "t0": ["src/0/**"], "t1": ["src/0/a.py", "README.md"], "t2": ["src/2/**", "README.md"], "t3": ["src/2/*.py"],
    "t4": [], "t5": ["src/*/b.py"],
}  # fmt: skip
"""Task → what it reserves; some meet."""
TASKS = list(PATHS)
TTL_S = 20.0
ENDING = frozenset({"TASK_RELEASE", "TASK_UPDATE", "BLOCKER"})
"""Whoever sends one of these no longer counts on its lease."""
YEARS_MS = 10 * 366 * 86_400_000


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.wall_offset_ms = 1_700_000_000_000

    def monotonic(self) -> float:
        return self.now

    def wall_ms(self) -> int:
        return self.wall_offset_ms + round(self.now * 1000)


class Connection:
    role, tied, receive, closing = "agent", False, True, False

    def __init__(self, number: int, agent: str, incarnation: int) -> None:
        self.id, self.agent, self.incarnation = number, agent, incarnation


class Mailbox:
    """Where actors tell each other things; the scheduler decides when they are read."""

    def __init__(self) -> None:
        self.messages: deque[Any] = deque()

    def tell(self, message: Any) -> None:
        self.messages.append(message)

    def is_alive(self) -> bool:
        return True


class Inbox:
    listening = False
    deadline: float | None = None

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @property
    def looked_at(self) -> float:
        return self._clock.now


class Gate:
    project = "sim"
    data_dir = ""
    guard = "off"
    nobody_is_left = only_adapters = False

    def __init__(self, agents: "dict[str, Agent]") -> None:
        self._agents = agents

    def saw(self, agent: str, now: float, progressed: bool = False) -> None: ...

    def attend(self, is_waiting: Any, is_busy: Any) -> None: ...

    def waited(self, agent: str) -> None: ...

    def may_speak(self, agent: str, incarnation: int | None) -> str:
        return "" if self._agents[agent].incarnation == incarnation else "this incarnation has ended"


class Agent:
    """A client with a window of unanswered events. It believes in a lease from when it asked for it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.incarnation = 0
        self.conn: Connection | None = None
        self.unanswered: dict[str, tuple[Event, float]] = {}
        self.old: list[tuple[Connection, Event]] = []
        """What an earlier incarnation had sent, and the coordinator may read only now."""
        self.answers: dict[str, dict[str, Any]] = {}
        self.leases: dict[str, tuple[int, float]] = {}
        """Task → (token, until when it may believe to hold it)."""
        self.tokens: dict[str, list[int]] = {}
        """Task → every token it ever had, for the messages that come too late."""
        self.ended: dict[str, int] = {}
        """Task → number of the latest event after which it counts on no claim made before."""

    def drop_lapsed(self, now: float) -> None:
        self.leases = {task: lease for task, lease in self.leases.items() if lease[1] > now}


class World:
    """Takes steps until told otherwise; every promise is checked as it goes. A failure names the seed."""

    def __init__(self, seed: int, folder: Path, disk: FaultyOs) -> None:
        self.seed, self.draw, self.disk = seed, random.Random(seed), disk
        self.clock = Clock()
        self.layout = DataLayout(folder)
        self.layout.create()
        self.limits = Limits(lease_ttl_s=TTL_S, max_leases_per_agent=3, max_attempts=1000, answers_kept=5000)
        self.background = LateSync(disk)
        self.journal = FileJournal(self.layout.journal, True, self.draw.choice([4000, 1 << 30]), self.background)
        self.keep = self.draw.choice([0, 1])
        """Rotated files that stay, where a checkpoint covers the rest; 0: all."""
        self.agents = {f"a{n}": Agent(f"a{n}") for n in range(3)}
        self.acknowledged: dict[int, bytes] = {}
        """seq → body of every journaled answer that reached anybody."""
        self.counts = {"steps": 0, "acknowledged": 0, "kills": 0, "journal faults": 0, "beliefs": 0, "worker deaths": 0}
        self._ids = self._conns = 0
        self._start(fresh=True)

    # the tree

    def _start(self, fresh: bool) -> None:
        """A new coordinator on what the files hold; then every agent connects anew and repeats itself."""
        while True:
            try:
                found = recover(self.layout, self.journal, self.limits)
                self.journal.open()
                break
            except (OSError, Crash):
                self.journal.close()
        self._check_recovered(found.state)
        self.to_persistence, self.supervisor = Mailbox(), Mailbox()
        self.replies: list[tuple[int, bytes]] = []
        self.coordinator = CoordinatorActor(
            found.state, self, Gate(self.agents), self.clock, self.supervisor, 1, Stats(), fresh, Inbox(self.clock),  # type: ignore[arg-type]
            self.to_persistence, self.limits,
        )  # fmt: skip
        self.state = found.state
        self.persistence = PersistenceActor(
            self.journal, self, self.coordinator.inbox, None, self.supervisor, 1, Mailbox()  # type: ignore[arg-type]
        )
        self.snapshots: deque[WriteSnapshot] = deque()
        seeds = [self._event("operator", "TASK_ADD", t, {"paths": PATHS[t]}) for t in TASKS]
        for agent in self.agents.values():
            agent.conn = None
        self.coordinator.begin(seeds)
        for agent in self.agents.values():
            self._restart_agent(agent) if fresh else self._connect(agent)

    def _restart_agent(self, agent: Agent) -> None:
        """Its process died with the tree; what it held in its head is gone."""
        agent.incarnation += 1
        agent.leases.clear()
        agent.unanswered.clear()
        up = AgentUp(agent.name, 1, agent.incarnation, True)
        self.coordinator.on_receive(Decide(up))
        self._connect(agent)

    def _connect(self, agent: Agent) -> None:
        self._conns += 1
        agent.conn = Connection(self._conns, agent.name, agent.incarnation)
        for event, _ in list(agent.unanswered.values()):
            self._submit(agent, event)

    def send(self, replies: Any, deliveries: Any = ()) -> None:
        """The hub's part: what persistence lets out reaches its connection, unless the network loses it."""
        by_conn = {agent.conn.id: agent for agent in self.agents.values() if agent.conn}
        for number, body in replies:
            agent = by_conn.get(number)
            if agent is not None and self.draw.random() < 0.95:
                self._receive(agent, body)

    def connections_of(self, agent: str) -> int:
        return 0

    # what agents do

    def _event(self, source: str, kind: str, task: str | None, payload: dict[str, Any]) -> Event:
        self._ids += 1
        stamp = "2026-01-01T00:00:00.000Z"
        return Event(f"e{self._ids}", stamp, source, "coordinator", kind, task, "normal", payload, True)

    def _submit(self, agent: Agent, event: Event) -> None:
        if event.event_type in ENDING:
            if event.payload.get("token", token := agent.leases.get(event.task_id or "", (0, 0.0))[0]) == token:
                agent.leases.pop(event.task_id or "", None)
            agent.ended[event.task_id or ""] = self._ids
        if agent.conn is not None:
            self.coordinator.on_receive(InboundReady([Frame(agent.conn, event, encode_json(event))]))  # type: ignore[arg-type]

    def _act(self, agent: Agent) -> None:
        agent.drop_lapsed(self.clock.now)
        task = self.draw.choice(TASKS)
        token = agent.leases.get(task, (0, 0.0))[0]
        payload: dict[str, Any] = {"token": token} if token and self.draw.random() < 0.7 else {}
        if agent.tokens.get(task) and self.draw.random() < 0.1:
            payload = {"token": self.draw.choice(agent.tokens[task])}
        choice = self.draw.random()
        if choice < 0.35:
            wait = {"wait_s": self.draw.choice([1, 30])} if self.draw.random() < 0.4 else {}
            event = self._event(agent.name, "TASK_CLAIM", self.draw.choice([task, None]), wait)
        elif choice < 0.6:
            event = self._event(agent.name, "HEARTBEAT", self.draw.choice([task, None]), payload if token else {})
        elif choice < 0.8:
            status = self.draw.choice(["in_progress", "blocked", "pending", "failed"])
            event = self._event(agent.name, "TASK_UPDATE", task, {"status": status, **payload})
        elif choice < 0.9:
            event = self._event(agent.name, "TASK_RELEASE", task, payload)
        else:
            needs = self.draw.sample(TASKS, self.draw.randint(0, 2))
            event = self._event(agent.name, "BLOCKER", task, {"reason": "stuck", "needs": needs, **payload})
        agent.unanswered[event.id] = (event, self.clock.now)
        if event.event_type in ENDING:
            agent.leases.pop(task, None)
            agent.ended[task] = self._ids
        if self.draw.random() < 0.95:
            self._submit(agent, event)

    def _receive(self, agent: Agent, body: bytes) -> None:
        event = decode_strict(body)
        answer = event["payload"]
        if event["event_type"] != "ACK" or answer["seq"] is None:
            return
        self.acknowledged[answer["seq"]] = body
        self.counts["acknowledged"] += 1
        before = agent.answers.setdefault(answer["ack_for_event_id"], answer)
        assert before == answer, f"{answer['ack_for_event_id']} was answered twice, and differently"
        asked = agent.unanswered.pop(answer["ack_for_event_id"], None)
        if asked is None or not answer["accepted"]:
            return
        event_asked, at = asked
        if event_asked.event_type == "TASK_CLAIM":
            lease, task = answer["lease"], answer["task"]["id"]
            if int(event_asked.id[1:]) > agent.ended.get(task, 0):
                self._believe(agent, task, lease["token"], at + lease["ttl_s"])
        elif event_asked.event_type == "HEARTBEAT":
            for task in answer["result"]["renewed"]:
                if task in agent.leases:
                    self._believe(agent, task, agent.leases[task][0], at + TTL_S)

    def _believe(self, agent: Agent, task: str, token: int, until: float) -> None:
        """It may act on this lease until then: nobody else may believe the same at this moment."""
        for other in self.agents.values():
            other.drop_lapsed(self.clock.now)
            assert other is agent or task not in other.leases or until <= self.clock.now, (
                f"{task}: {agent.name} with {token} while {other.name} holds {other.leases[task]}"
            )
        if until > self.clock.now:
            agent.leases[task] = (token, until)
            agent.tokens.setdefault(task, []).append(token)
            self.counts["beliefs"] += 1

    # steps

    def step(self) -> None:
        self.counts["steps"] += 1
        choice = self.draw.random()
        agent = self.draw.choice(list(self.agents.values()))
        if choice < 0.45:
            self._act(agent)
        elif choice < 0.75:
            self._persist()
        elif choice < 0.83:
            self.clock.now += self.draw.choice([0.01, 1.0, 5.0, TTL_S + 1])
            self._deadline()
        elif choice < 0.87 and agent.unanswered:
            self._submit(agent, self.draw.choice([event for event, _ in agent.unanswered.values()]))
        elif choice < 0.90 and agent.old:
            conn, event = self.draw.choice(agent.old)
            self.coordinator.on_receive(InboundReady([Frame(conn, event, encode_json(event))]))  # type: ignore[arg-type]
        elif choice < 0.93:
            self._lose_connection(agent)
        elif choice < 0.95:
            self._kill_worker(agent)
        elif choice < 0.96:
            self.clock.wall_offset_ms += self.draw.choice([-YEARS_MS, YEARS_MS, -5000, 5000])
        elif choice < 0.97:
            self._write_snapshot()
        elif choice < 0.975:
            self.kill(power=self.draw.random() < 0.5)

    def _deadline(self) -> None:
        due = self.coordinator.inbox.deadline
        if due is not None and due <= self.clock.now:
            self.coordinator.on_receive(DeadlineDue())

    def _persist(self) -> None:
        """A group is written, and perhaps synced at once; or the one before it is durable now."""
        group: list[Commit] = []
        while self.persistence._begun is None and self.to_persistence.messages and len(group) < 5:
            message = self.to_persistence.messages[0]
            if isinstance(message, WriteSnapshot):
                if not group:  # what it shows must be durable
                    self.snapshots.append(self.to_persistence.messages.popleft())
                break
            group.append(self.to_persistence.messages.popleft())
        if not group and self.persistence._begun is None:
            return
        try:
            if self.persistence._begun is not None:
                self.counts["synced behind"] = self.counts.get("synced behind", 0) + 1
                self.persistence._land()
            else:
                self.persistence._commit(group)
        except JournalFault:
            self.counts["journal faults"] += 1
            self.journal.close()
            self._start(fresh=False)
        except Crash:
            self.kill(power=self.draw.random() < 0.5)

    def _write_snapshot(self) -> None:
        if self.snapshots:
            snapshot = self.snapshots.popleft().snapshot
            try:
                FileSnapshots(self.layout, self.keep).write(snapshot)
                self.counts["checkpoints"] = self.counts.get("checkpoints", 0) + (snapshot.rest is not None)
            except OSError:
                pass
            except Crash:
                return self.kill(power=self.draw.random() < 0.5)
            self.coordinator.on_receive(SnapshotWritten(0.001))
        return None

    def _lose_connection(self, agent: Agent) -> None:
        if agent.conn is not None:
            self.coordinator.on_receive(InboundReady([Gone(agent.conn)]))  # type: ignore[arg-type]
        self._connect(agent)

    def _kill_worker(self, agent: Agent) -> None:
        self.counts["worker deaths"] += 1
        if agent.conn is not None:
            agent.old = [(agent.conn, event) for event, _ in agent.unanswered.values()]
        agent.conn = None
        down = AgentDown(agent.name, agent.incarnation, False, "SIGKILL")
        self.coordinator.on_receive(Decide(down))
        self._restart_agent(agent)

    def kill(self, power: bool) -> None:
        """kill -9 of the whole tree, or a power cut. Its workers die with it."""
        self.counts["kills"] += 1
        if self.journal._begun:
            self.background.killed()
            self.journal._begun = b""
        self.journal.close()
        if power:
            self.disk.cut_power(self.layout.root)
        self.journal = FileJournal(self.layout.journal, True, self.journal._rotate_bytes, self.background)
        self._start(fresh=True)

    # promises

    def _check_recovered(self, state: State) -> None:
        first = first_available(self.layout.journal)
        records = {record.seq: record for record in self.journal.read(first - 1)}
        for seq, body in self.acknowledged.items():
            if seq >= first:
                assert seq in records and records[seq].body == body, f"the answer at seq {seq} was lost"
        assert state.seq >= max(self.acknowledged, default=0), "an answer was lost with the records before it"
        if first > 1:
            self.counts["pruned lives"] = self.counts.get("pruned lives", 0) + 1
            return
        self.check_journal(records)
        folded = State(self.limits)
        for record in records.values():
            evolve(folded, record, 0.0)
        assert canonical(folded) == canonical(state), "the recovered state is not the journal's"

    def check_journal(self, records: dict[int, Record]) -> None:
        """Every decision follows from its cause, and no task ever has two holders."""
        report = verify(iter(records.values()), self.limits)
        self.counts["decisions re-derived"] = self.counts.get("decisions re-derived", 0) + report.decisions

    def check(self) -> None:
        assert violations(self.state) == [], violations(self.state)
        assert neglected(self.state) == []

    def finish(self) -> None:
        """Lets everything settle; then the files alone must give the state that lives."""
        self.disk.rates = dict.fromkeys(self.disk.rates, 0.0)
        while self.to_persistence.messages or self.persistence._begun is not None:
            self._persist()
        self.check()
        live = canonical(self.state)
        self.journal.close()
        self.journal = FileJournal(self.layout.journal, True)
        assert canonical(recover(self.layout, self.journal, self.limits).state) == live
        if first_available(self.layout.journal) == 1:
            self.check_journal({record.seq: record for record in self.journal.read()})
