"""The coordinator's state and its indexes. Decides nothing and applies nothing."""

from collections import OrderedDict, deque

import msgspec

from kortana.core.answers import Answers
from kortana.core.deadlines import Deadlines
from kortana.core.limits import Limits
from kortana.core.pages import TaskPages
from kortana.core.paths import PathIndex
from kortana.core.ready import ReadyQueue
from kortana.core.task import BLOCKED, Task
from kortana.core.waiting import Waiters
from kortana.protocol.event import Record

__all__ = ["Agent", "Limits", "State", "agent_status"]


GONE_KEPT = 100
"""Guests whose mailboxes are kept for their return."""


class Agent(msgspec.Struct):
    """One agent: a supervised worker, or a guest that connected by itself."""

    name: str
    up: bool = False
    supervised: bool = False
    pid: int | None = None
    incarnation: int = 0
    heartbeat: str | None = None
    capabilities: tuple[str, ...] = ()
    tasks: dict[str, None] = {}
    """Ids of the tasks it holds, oldest first."""
    mailbox: deque[tuple[str, int, bytes]] = msgspec.field(default_factory=deque)
    """Undelivered or unconfirmed: (event id, seq, body), oldest first."""
    mailbox_infos: int = 0
    """How many events in the mailbox are INFO."""
    dropped: int = 0
    """Events lost to a full mailbox, ever."""
    seen: bool = False
    """It has spoken since it came up."""


class State:
    """Everything that the journal folds into, plus indexes that are derived from it.

    One owner. Changed by `evolve` alone; `waiters`, `tied` and `deadlines` live with the process and are no part
    of the canonical state.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.seq = 0
        self.recorded_at = ""
        self.tasks: dict[str, Task] = {}
        self.agents: dict[str, Agent] = {}
        self.gone: dict[str, None] = {}
        """Guests that are not here, in the order in which they went; `agents` has them in the same order."""
        self.answers = Answers()
        self.pending: OrderedDict[str, Record] = OrderedDict()
        """Inputs without an answer yet: waiting claims."""
        self.unmet: dict[str, int] = {}
        """Task → how many of its dependencies are not completed."""
        self.dependants: dict[str, dict[str, None]] = {}
        self.needed_by: dict[str, dict[str, None]] = {}
        """Task → blocked tasks whose blocker needs it."""
        self.ready = ReadyQueue()
        self.reserved = PathIndex()
        self.deadlines: Deadlines[str] = Deadlines()
        """Lease deadlines by task, monotonic seconds."""
        self.waiters = Waiters()
        self.tied: dict[str, int] = {}
        """Task → the connection that its lease ends with. No part of the canonical state: a restart forgets it."""
        self.last_task: str | None = None
        """What the last record was about."""
        self.changes = 0
        """How often a task came, went or was changed; tells whether a look at all of them can find anything new."""
        self.counts: dict[str, int] = {}
        """Status → number of tasks."""
        self.pages = TaskPages(self.tasks)
        """The tasks as encoded pages, for snapshots."""
        self.overflowed: dict[str, int] = {}
        """Agents whose mailboxes were full → events lost, ever; at the first one, and each time they are twice as many.
        For who tells people: no part of the canonical state."""
        self.outbox: list[tuple[str, bytes]] | None = None
        """Where new mailbox entries are also put, for sending; None during replay."""

    def changing(self, name: str) -> Task:
        """The task of that name, to be changed: a snapshot that is under way takes its old form first."""
        self.changes += 1
        self.pages.touch(name)
        return self.tasks[name]

    def agent(self, name: str) -> Agent:
        """The agent of that name, created at its first mention."""
        found = self.agents.get(name)
        if found is None:
            found = self.agents[name] = Agent(name, tasks={})
            self.gone[name] = None
        return found

    def came(self, agent: Agent) -> None:
        """It is up; or a worker, which is not forgotten."""
        self.gone.pop(agent.name, None)

    def went(self, agent: Agent) -> None:
        """It is down. Guests come under ever new names: who has been gone longest, and holds nothing, is forgotten."""
        if agent.supervised:
            return
        self.gone.pop(agent.name, None)
        self.agents[agent.name] = self.agents.pop(agent.name)
        self.gone[agent.name] = None
        while len(self.gone) > GONE_KEPT:
            oldest = next((name for name in self.gone if not self.agents[name].tasks), None)
            if oldest is None:
                return
            del self.agents[oldest], self.gone[oldest]


def agent_status(agent: Agent, state: State, waiting: bool) -> str:
    """`active`, `busy`, `idle`, `blocked` or `offline` (CONTRACT section 3)."""
    if not agent.up:
        return "offline"
    if agent.tasks:
        statuses = {state.tasks[task].status for task in agent.tasks}
        return "blocked" if statuses == {BLOCKED} else "busy"
    return "idle" if waiting or agent.seen else "active"
