"""The coordinator actor: reads the hub, lets the core decide, and hands the outcome to persistence."""

from typing import Any

import pykka

from kortana import __version__
from kortana.actors.admission import Gate
from kortana.actors.ending import Ending
from kortana.actors.inboxes import HubInbox
from kortana.actors.messages import (
    AgentSaidHello,
    ChildDied,
    Commit,
    Control,
    DeadlineDue,
    Decide,
    FlushSnapshots,
    HearAll,
    InboundReady,
    Inspect,
    LookForEnd,
    MailboxFull,
    RelayInbound,
    SnapshotWritten,
    WriteSnapshot,
)
from kortana.actors.queries import answer_query
from kortana.actors.snapshotting import Snapshotter
from kortana.core.commands import AgentUp, Boot, Command, Disconnect, Drain, Submit, Tick
from kortana.core.deadlines import earlier
from kortana.core.decide import decide, decide_event, next_due
from kortana.core.limits import Limits
from kortana.core.state import State
from kortana.core.turn import Turn, refusal_event
from kortana.core.views import agents_view, summary
from kortana.ports import Clock
from kortana.protocol import calls, payloads, reasons
from kortana.protocol import event as ev
from kortana.protocol.codec import encode_json
from kortana.protocol.event import Event
from kortana.transport.connection import BadFrame, Connection, Frame, Gone
from kortana.transport.hub import Hub

_SIGNS_OF_LIFE = frozenset({ev.HEARTBEAT, ev.ACK})
"""Events that show that an agent lives, and, without `details`, not that it gets anywhere."""


class Stats:
    """What the summary at the end tells, counted since this process began."""

    def __init__(self) -> None:
        self.claims = self.denials = self.expired = 0

    def count(self, turn: Turn) -> None:
        self.claims += turn.granted
        self.denials += turn.denied
        self.expired += turn.expired


class CoordinatorActor(pykka.ThreadingActor):
    """One owner of the state. Runs on the hub's own thread: its inbox is the hub."""

    use_daemon_thread = True

    def __init__(
        self,
        state: State,
        hub: Hub,
        gate: Gate,
        clock: Clock,
        supervisor: Any,
        generation: int,
        stats: Stats,
        fresh: bool,
        inbox: HubInbox,
        persistence: Any,
        limits: Limits,
        unavailable: str = "",
    ) -> None:
        self.inbox = inbox
        self._create_actor_inbox = lambda: self.inbox  # type: ignore[method-assign]
        super().__init__()
        self._state, self._hub, self._gate, self._clock = state, hub, gate, clock
        self._supervisor, self._generation, self._stats, self._fresh = supervisor, generation, stats, fresh
        self._persistence = persistence
        self._limits = limits
        self._unavailable = unavailable
        """Why nothing may be decided: then there are only queries, and the supervisor's commands."""
        self._snapshotter = Snapshotter(state, clock)
        self._draining = False
        self._ending = Ending(gate, supervisor)
        gate.attend(state.waiters.is_waiting, self._is_busy)
        state.waiters.when_over = gate.waited

    def _is_busy(self, agent: str) -> bool:
        found = self._state.agents.get(agent)
        return found is not None and bool(found.tasks)

    def begin(self, seeds: list[Event]) -> None:
        """Called through its proxy: boots the state, adds the seed tasks that it lacks, and begins to listen."""
        self.inbox.listening = True
        self._state.overflowed.clear()
        if self._unavailable:
            return
        tasks = self._state.tasks
        missing = [event for event in seeds if event.event_type != ev.TASK_ADD or event.task_id not in tasks]
        boot = Boot(self._fresh, self._limits)
        self._run([boot, *(Submit(event, encode_json(event), 0) for event in missing)])

    def on_receive(self, message: Any) -> Any:
        match message:
            case InboundReady(inbound=inbound):
                self._on_inbound(inbound)
            case Decide(command=command):
                self._draining = self._draining or isinstance(command, Drain)
                self._run([command])
            case RelayInbound():
                self._on_relay(message)
            case HearAll():
                self.inbox.when_all_is_heard(message)
            case DeadlineDue():
                self._run([])
            case LookForEnd():
                self._ending.look(self._state, self._clock.monotonic(), changed=True)
                self._run([])
            case SnapshotWritten(seconds=seconds):
                self._snapshotter.written(seconds)
                self._run([])
            case FlushSnapshots():
                if not self._unavailable:
                    self._snapshot(final=True)
            case Inspect():
                return {"agents": agents_view(self._state), "tasks": summary(self._state)}
        return True

    def _on_inbound(self, inbound: list[Any]) -> None:
        turn = self._turn()
        for item in inbound:
            if type(item) is Frame:
                self._on_frame(turn, item.conn, item.event, item.body)
                continue
            match item:
                case BadFrame(conn=connection, detail=detail, event_id=event_id):
                    self._refuse_frame(turn, connection, event_id, detail)
                    self._close_later(turn, connection)
                case Gone(conn=connection):
                    self._on_gone(turn, connection)
        self._finish(turn)

    def _on_frame(self, turn: Turn, connection: Connection, event: Event, body: bytes) -> None:
        if connection.agent is None:
            return self._on_hello(turn, connection, event)
        if event.source != connection.agent:
            detail = f"this connection is {connection.agent}"
            return turn.reply_only(connection.id, event, reasons.SOURCE_MISMATCH, detail)
        if event.event_type == ev.COMMAND:
            return self._on_command(turn, connection, event)
        if connection.role == "observer" or event.event_type == ev.HELLO:
            return turn.reply_only(connection.id, event, reasons.FORBIDDEN)
        if objection := self._gate.may_speak(connection.agent, connection.incarnation):
            return turn.reply_only(connection.id, event, reasons.FORBIDDEN, objection)
        progressed = event.event_type not in _SIGNS_OF_LIFE or bool(event.payload.get("details"))
        self._gate.saw(connection.agent, turn.now, progressed)
        if self._unavailable:
            return turn.reply_only(connection.id, event, reasons.UNAVAILABLE, self._unavailable)
        if self._draining and event.event_type == ev.TASK_CLAIM:
            return turn.reply_only(connection.id, event, reasons.SHUTTING_DOWN)
        decide_event(turn, connection.id, event, body, connection.tied)
        return None

    def _on_relay(self, message: RelayInbound) -> None:
        """Events out of the legacy files; what cannot be decided now is submitted again by the relay."""
        if self._unavailable:
            return
        turn, agent = self._turn(), message.agent
        fresh = not self._state.agent(agent).up
        if fresh and not self._state.agent(agent).supervised:
            decide(turn, AgentUp(agent, None, 0, supervised=False))
        if not message.events:
            turn.replies += [(message.conn, entry[2]) for entry in self._state.agents[agent].mailbox]
        for event, body in message.events:
            if self._draining and event.event_type == ev.TASK_CLAIM:
                turn.reply_only(message.conn, event, reasons.SHUTTING_DOWN)
            else:
                decide(turn, Submit(event, body, message.conn))
        self._finish(turn)

    def _on_hello(self, turn: Turn, connection: Connection, event: Event) -> None:
        admission = self._gate.admit(event, connection.peer)
        if isinstance(admission, str):
            reason, _, detail = admission.partition(": ")
            turn.reply_only(connection.id, event, reason, detail)
            return self._close_later(turn, connection)
        if not self._hub.has_room_for(event.source, admission):
            turn.reply_only(connection.id, event, reasons.UNAVAILABLE, "too many connections are open")
            return self._close_later(turn, connection)
        self._hub.admit(connection, event.source, admission)
        if admission.role == "agent":
            self._greet_agent(turn, event, admission.incarnation, admission.pid)
        limits = self._state.limits
        welcome = {
            "protocol": 1, "project": self._gate.project, "lease_ttl_s": limits.lease_ttl_s,
            "max_lease_ttl_s": limits.max_lease_ttl_s, "data_dir": self._gate.data_dir,
            "root": self._gate.root, "guard": self._gate.guard, "version": __version__,
        }  # fmt: skip
        payload = {"ack_for_event_id": event.id, "accepted": True, "reason": "", "seq": self._state.seq}
        answer = refusal_event(event.id, event.source, turn.wall, {**payload, "result": welcome})
        turn.replies.append((connection.id, encode_json(answer)))
        if admission.receive and event.source in self._state.agents:
            waiting = self._state.agents[event.source].mailbox
            turn.replies += [(connection.id, entry[2]) for entry in waiting]
        return None

    def _greet_agent(self, turn: Turn, event: Event, incarnation: int | None, pid: int) -> None:
        self._gate.saw(event.source, turn.now)
        if incarnation is not None:
            self._supervisor.tell(AgentSaidHello(event.source, incarnation))
        elif not self._unavailable and not self._state.agent(event.source).up:
            decide(turn, AgentUp(event.source, pid, 0, supervised=False))

    def _on_command(self, turn: Turn, connection: Connection, event: Event) -> None:
        call = payloads.read_payload(payloads.CommandCall, event.payload)
        if isinstance(call, str):
            return turn.reply_only(connection.id, event, reasons.BAD_PAYLOAD, call)
        args = calls.read_args(call.command, call.args)
        if isinstance(args, str):
            return turn.reply_only(connection.id, event, reasons.BAD_PAYLOAD, args)
        if call.command in calls.QUERIES:
            payload = answer_query(self._state, call.command, args)
            payload = {"ack_for_event_id": event.id, "seq": self._state.seq, **payload}
            answer = refusal_event(event.id, event.source, turn.wall, payload)
            turn.replies.append((connection.id, encode_json(answer)))
            return None
        if connection.role != "operator":
            return turn.reply_only(connection.id, event, reasons.FORBIDDEN, "for operators")
        self._hub.begin_command(connection)
        self._supervisor.tell(Control(connection.id, event, call.command, args))
        return None

    def _on_gone(self, turn: Turn, connection: Connection) -> None:
        if connection.role == "agent" and connection.agent is not None and not self._unavailable:
            last = self._hub.connections_of(connection.agent) == 0
            decide(turn, Disconnect(connection.id, connection.agent, connection.tied, last))

    def _refuse_frame(self, turn: Turn, connection: Connection, event_id: str | None, detail: str) -> None:
        payload = {
            "ack_for_event_id": event_id, "accepted": False, "reason": reasons.BAD_PAYLOAD, "seq": None,
            "result": {"detail": detail},
        }  # fmt: skip
        answer = refusal_event(event_id or "frame", connection.agent or "all", turn.wall, payload)
        turn.replies.append((connection.id, encode_json(answer)))

    def _close_later(self, turn: Turn, connection: Connection) -> None:
        """Reads no more from it; an empty body after its answers closes it once they are sent."""
        connection.closing = True
        turn.replies.append((connection.id, b""))

    def _turn(self) -> Turn:
        return Turn(self._state, self._clock.monotonic(), self._clock.wall_ms())

    def _run(self, commands: list[Command]) -> None:
        """What comes while nothing can be journaled is made up for by the supervisor, when it can be again."""
        if self._unavailable:
            return
        turn = self._turn()
        for command in commands:
            decide(turn, command)
        self._finish(turn)

    def _finish(self, turn: Turn) -> None:
        """Ends what is overdue, hands the turn to persistence, and sees to snapshots and the next deadline."""
        due = next_due(self._state)
        if due is not None and due <= self.inbox.looked_at and not self._unavailable:
            decide(turn, Tick(self.inbox.looked_at))
            due = next_due(self._state)
        if turn.records or turn.replies or turn.deliveries:
            self._stats.count(turn)
            self._persistence.tell(Commit(turn.records, turn.replies, turn.deliveries))
        while self._state.overflowed:
            self._supervisor.tell(MailboxFull(*self._state.overflowed.popitem()))
        if self._unavailable:
            return
        self._ending.look(self._state, turn.now, changed=bool(turn.records))
        self._snapshot()
        self.inbox.deadline = earlier(due, earlier(self._snapshotter.next_due(), self._ending.next_due()))

    def _snapshot(self, final: bool = False) -> None:
        snapshot = self._snapshotter.take_all() if final else self._snapshotter.step()
        if snapshot is not None:
            self._persistence.tell(WriteSnapshot(snapshot, self.actor_ref))

    def _actor_loop(self) -> None:
        super()._actor_loop()
        self.inbox.leave()

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._supervisor.tell(ChildDied("coordinator", self._generation, repr(exception_value)))
