"""The persistence actors: one makes records durable and then lets answers out; one writes snapshots beside it."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pykka
from pykka._envelope import Envelope

from kortana.actors.inboxes import HubInbox, RiderInbox
from kortana.actors.messages import ChildDied, Commit, Flush, SnapshotWritten, WriteSnapshot
from kortana.ports import Journal, JournalFault, JournalGone, Snapshots
from kortana.protocol.codec import encode_records
from kortana.protocol.event import Record
from kortana.transport.hub import Hub

MAX_GROUP_RECORDS = 8192
MAX_WAITING, MAX_WAITING_IN_A_CROWD = 64, 16
"""So many records may wait for a sync that goes on; then the thread waits for it too. That bounds what a hanging disk
lets gather; and where all processors are busy, the kernel's worker gets one only when this thread sleeps. The second:
where somebody floods beside others, whose answers would wait for the flood's next records to be decided."""


class _Land:
    """To itself: what was begun has ended."""


class PersistenceActor(pykka.ThreadingActor):
    """Group commit: takes every Commit that has gathered, writes and syncs once, then sends.

    While the kernel syncs a group, the coordinator reads and decides on; the next group is written when that one is
    durable, and has been sent.
    Rides on the coordinator's thread (`vehicle`): two threads that take turns at the interpreter's lock for every
    batch are slower than one, by a fifth. watch: is told the durable records, or None.
    An error ends this actor: nothing of the failed group was sent, and its supervisor starts over from the
    journal.
    """

    actor_inbox: RiderInbox

    def __init__(
        self,
        journal: Journal,
        hub: Hub,
        vehicle: HubInbox | None,
        watch: Callable[[list[Record]], None] | None,
        supervisor: Any,
        generation: int,
        snapshot_writer: Any,
    ) -> None:
        super().__init__()
        self._journal, self._hub, self._vehicle, self._watch = journal, hub, vehicle, watch
        self._supervisor, self._generation = supervisor, generation
        self._snapshot_writer = snapshot_writer
        self._begun: tuple[list[Commit], list[Record]] | None = None
        """The group that is being synced."""

    @staticmethod
    def _create_actor_inbox() -> Any:
        return RiderInbox()

    def _start_actor_loop(self) -> None:
        assert self._vehicle is not None
        self.actor_inbox.wake = self._vehicle.board(self)

    @property
    def is_busy(self) -> bool:
        return self._begun is not None

    def ride(self) -> None:
        inbox = self.actor_inbox
        inbox.driver = threading.get_ident()
        if self._begun is not None:
            most = MAX_WAITING_IN_A_CROWD if self._hub.is_crowded else MAX_WAITING
            if self._waiting() < most and not self._journal.has_ended():
                return
            inbox.release(Envelope(_Land()))
        if not inbox.empty():
            try:
                self._actor_loop_running()
            except queue.Empty:
                pass

    def _waiting(self) -> int:
        """Records that have gathered during a sync."""
        messages = (envelope.message for envelope in self.actor_inbox)
        return sum(len(message.records) for message in messages if isinstance(message, Commit))

    def drive(self) -> None:
        if self._begun is not None:
            self.actor_inbox.release(Envelope(_Land()))
        self.actor_inbox.get_off()
        self._vehicle = None
        self._actor_loop()

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, Commit):
            self._commit(self._gather(message))
        elif isinstance(message, _Land):
            self._land()
        elif isinstance(message, WriteSnapshot):
            self._snapshot_writer.tell(message)
        return True

    def _gather(self, first: Commit) -> list[Commit]:
        """The commits that wait already, up to a bound; ends at a message of another kind, which comes after."""
        group, size = [first], len(first.records)
        while size < MAX_GROUP_RECORDS and (envelope := self.actor_inbox.first()) is not None:
            message = envelope.message
            if not isinstance(message, Commit) or envelope.reply_to is not None:
                break
            self.actor_inbox.get()
            group.append(message)
            size += len(message.records)
        return group

    def _commit(self, group: list[Commit]) -> None:
        records = [record for commit in group for record in commit.records]
        if records:
            lines, last = encode_records(records), records[-1].seq
            if self._vehicle is not None and self._vehicle.listening and self._journal.begin(lines, last):
                self._begun = group, records
                self.actor_inbox.hold()
                return
            self._journal.commit(lines, last)
        self._let_out(group, records)

    def _land(self) -> None:
        """The group that was begun is durable."""
        assert self._begun is not None
        (group, records), self._begun = self._begun, None
        self._journal.end()
        self._let_out(group, records)

    def _let_out(self, group: list[Commit], records: list[Record]) -> None:
        if len(group) == 1:
            self._hub.send(group[0].replies, group[0].deliveries)
        else:
            self._hub.send(
                [reply for commit in group for reply in commit.replies],
                [delivery for commit in group for delivery in commit.deliveries],
            )
        if self._watch is not None and records:
            self._watch(records)

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        journal = isinstance(exception_value, JournalFault)
        what = str(exception_value) if journal else repr(exception_value)
        self._supervisor.tell(ChildDied("persistence", self._generation, what, journal))


class SnapshotActor(pykka.ThreadingActor):
    """Writes snapshots that are durable in the journal already. An error is told to `failed`, and the next one is
    tried when it comes: a snapshot is only a copy."""

    use_daemon_thread = True

    def __init__(self, snapshots: Snapshots, failed: Callable[[Exception], None]) -> None:
        super().__init__()
        self._snapshots, self._failed = snapshots, failed

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, WriteSnapshot):
            began = time.monotonic()
            try:
                self._snapshots.write(message.snapshot)
            except (OSError, JournalGone) as error:
                self._failed(error)
            if message.to.is_alive():
                message.to.tell(SnapshotWritten(time.monotonic() - began))
        return isinstance(message, Flush)
