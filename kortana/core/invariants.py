"""What must hold at every moment: of a state, and of a journal read record by record."""

from typing import Any

from kortana.core.paths import patterns_meet
from kortana.core.state import State
from kortana.core.task import BLOCKED, COMPLETED, FINISHED, IN_PROGRESS, PENDING
from kortana.protocol import event as ev
from kortana.protocol.event import Record


def violations(state: State) -> list[str]:
    """Every broken invariant of a state, as a sentence. O(tasks): for tests and tools."""
    found = []
    for task in state.tasks.values():
        leased = task.owner is not None
        if leased != (task.lease_token is not None) or leased != (task.lease_expiry is not None):
            found.append(f"{task.id}: owner, token and expiry do not agree")
        if leased and (task.owner not in state.agents or task.id not in state.agents[task.owner].tasks):
            found.append(f"{task.id}: its owner {task.owner} does not know of it")
        if leased != (task.id in state.deadlines):
            found.append(f"{task.id}: leased {leased}, but not so among the deadlines")
        if leased and task.status not in (IN_PROGRESS, BLOCKED):
            found.append(f"{task.id}: leased while {task.status}")
        if task.status == IN_PROGRESS and not leased:
            found.append(f"{task.id}: in progress with nobody")
        unmet = sum(n not in state.tasks or state.tasks[n].status != COMPLETED for n in task.depends_on)
        if unmet != state.unmet.get(task.id, 0):
            found.append(f"{task.id}: {unmet} dependencies unmet, {state.unmet.get(task.id, 0)} counted")
        if (task.id in state.ready) != (task.status == PENDING and unmet == 0):
            found.append(f"{task.id}: {task.status} with {unmet} unmet, ready: {task.id in state.ready}")
        if (task.status == BLOCKED) != task.blocked or (task.blocker is not None and not task.blocked):
            found.append(f"{task.id}: {task.status} with blocked {task.blocked}")
    held = sum(len(agent.tasks) for agent in state.agents.values())
    if held != sum(task.owner is not None for task in state.tasks.values()):
        found.append("agents hold another number of tasks than have owners")
    gone = [a.name for a in state.agents.values() if not a.up and not a.supervised]
    if gone != list(state.gone):
        found.append(f"guests that are gone: {gone}, indexed: {list(state.gone)}")
    if any(len(agent.mailbox) > state.limits.mailbox_limit for agent in state.agents.values()):
        found.append("a mailbox is over its limit")
    return found


def neglected(state: State) -> list[str]:
    """Every claim that waits for what could be granted to it, or never will be. By looking at everything: for tests."""
    reserved = [path for task in state.tasks.values() if task.owner is not None for path in task.paths]
    found = []
    for waiter in state.waiters.by_id.values():
        agent, wanted = state.agents[waiter.event.source], waiter.event.task_id
        if wanted in state.tasks and state.tasks[wanted].status in FINISHED:
            found.append(f"{agent.name} waits in vain for {wanted}")
        for task in state.tasks.values():
            unmet = any(n not in state.tasks or state.tasks[n].status != COMPLETED for n in task.depends_on)
            able = set(agent.capabilities).issuperset(task.requires)
            obstructed = any(patterns_meet(path, other) for path in task.paths for other in reserved)
            if task.status != PENDING or unmet or not able or obstructed or not waiter.takes(task):
                continue
            if len(agent.tasks) < state.limits.max_leases_per_agent:
                found.append(f"{agent.name} waits, and could have {task.id}")
    return found


class LeaseAudit:
    """Reads a journal record by record, and finds two holders of one task, or a token that does not grow.

    Knows nothing of `decide` and `evolve`: it takes ACKs, expiries and releases at their word.
    """

    def __init__(self) -> None:
        self.holders: dict[str, tuple[str, int]] = {}
        """Task → (agent, token) of its live lease."""
        self.tokens: dict[str, int] = {}
        self.asked: dict[str, Record] = {}
        self.violations: list[str] = []
        self.grants = 0
        self.denials = 0
        self._seq = 0

    def feed(self, record: Record) -> None:
        event = record.event
        if record.seq != self._seq + 1:
            self._fault(record, f"seq follows {self._seq}")
        self._seq = record.seq
        if event.event_type == ev.ACK and event.source == ev.COORDINATOR:
            asked = self.asked.pop(event.payload["ack_for_event_id"], None)
            if asked is None:
                self._fault(record, "answers nothing")
            elif event.payload["accepted"]:
                self._accepted(record, asked, event.payload)
            elif asked.event.event_type == ev.TASK_CLAIM:
                self.denials += 1
        elif event.event_type in (ev.LEASE_EXPIRED, ev.LEASE_RELEASED):
            self._end(record, event.task_id or "", event.payload["by"], event.payload["token"])
        elif event.source not in (ev.COORDINATOR, ev.SUPERVISOR):
            self.asked[event.id] = record

    def _accepted(self, record: Record, asked: Record, answer: dict[str, Any]) -> None:
        event, kind = asked.event, asked.event.event_type
        if kind == ev.TASK_CLAIM:
            self._granted(record, answer["task"]["id"], event.source, answer["lease"]["token"])
        elif kind == ev.HEARTBEAT:
            for task in answer["result"]["renewed"]:
                self._must_hold(record, task, event.source, event.payload.get("token"))
        elif kind in (ev.TASK_UPDATE, ev.BLOCKER, ev.TASK_RELEASE) and event.source != ev.OPERATOR:
            task = answer["task"]["id"]
            self._must_hold(record, task, event.source, event.payload.get("token"))
            if kind == ev.TASK_RELEASE or answer["task"]["status"] not in (IN_PROGRESS, BLOCKED):
                self.holders.pop(task, None)
        elif kind in (ev.TASK_RELEASE, ev.TASK_CANCEL, ev.TASK_RESET, ev.OPERATOR_EDIT):
            self.holders.pop(answer["task"]["id"], None)

    def _granted(self, record: Record, task: str, agent: str, token: int) -> None:
        holder = self.holders.get(task)
        if holder == (agent, token):
            return
        self.grants += 1
        if holder is not None:
            self._fault(record, f"{task} granted to {agent} while {holder[0]} holds it")
        if token <= self.tokens.get(task, 0):
            self._fault(record, f"{task}: token {token} after {self.tokens[task]}")
        self.tokens[task] = token
        self.holders[task] = (agent, token)

    def _must_hold(self, record: Record, task: str, agent: str, token: int | None) -> None:
        holder = self.holders.get(task)
        if holder is None or holder[0] != agent or token not in (None, holder[1]):
            self._fault(record, f"{agent} spoke for {task} with token {token}, held by {holder}")

    def _end(self, record: Record, task: str, agent: str, token: int) -> None:
        if self.holders.pop(task, None) != (agent, token):
            self._fault(record, f"the lease of {agent} on {task} with token {token} was not live")

    def _fault(self, record: Record, text: str) -> None:
        if len(self.violations) < 100:
            self.violations.append(f"seq {record.seq}: {text}")
