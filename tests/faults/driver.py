"""A process that lives on one data folder until it is killed: the production core, journal and snapshots, no actors.

Each acknowledgement goes out as one line, `SEQ CRC`, after its commit; what a reader has seen must never be lost.
"""

import itertools
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

from kortana.adapters.files import journal as journal_module
from kortana.adapters.files import layout as layout_module
from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.recovery import recover
from kortana.adapters.files.segments import first_available
from kortana.adapters.files.snapshots import FileSnapshots
from kortana.core.checkpoint import canonical, rest_of
from kortana.core.commands import AgentUp, Boot, Submit
from kortana.core.decide import decide
from kortana.core.evolve import evolve
from kortana.core.state import Limits, State
from kortana.core.turn import Turn
from kortana.core.verify import verify
from kortana.core.views import agents_view
from kortana.ports import BackgroundSync, Snapshot
from kortana.protocol.codec import encode_json, encode_records
from kortana.protocol.event import Event
from kortana.transport import background_sync as background

LIMITS = Limits(max_attempts=1000)
AGENTS = ("a", "b", "c")
TASKS = [f"t{n}" for n in range(8)]
ROTATE = 6000
_lives = itertools.count()


def one_command(draw: random.Random, tag: str) -> Submit:
    """A claim, a heartbeat, an update or a release by one of the agents."""
    agent, task = draw.choice(AGENTS), draw.choice(TASKS)
    kind, payload = draw.choice(
        [("TASK_CLAIM", {}), ("TASK_CLAIM", {}), ("HEARTBEAT", {}), ("TASK_RELEASE", {}),
         ("TASK_UPDATE", {"status": "pending", "details": "x" * draw.randrange(200)})]
    )  # fmt: skip
    event = Event(tag, "2026-01-01T00:00:00.000Z", agent, "coordinator", kind, task, "normal", payload, True)
    return Submit(event, encode_json(event), 1)


class Life:
    """One process's work on the folder; where it can, it syncs a group while it decides on the next."""

    def __init__(self, folder: Path, seed: int, background: BackgroundSync | None) -> None:
        self.layout = DataLayout(folder)
        self.layout.create()
        self.journal = FileJournal(self.layout.journal, True, ROTATE, background)
        self.draw = random.Random(seed)
        self.begun: list[tuple[int, int]] = []
        """What is being synced."""
        self.landed: list[tuple[int, int]] = []
        """What may be acknowledged, and has not been."""
        self.tag = f"{seed}-{os.getpid()}-{next(_lives)}"
        try:
            self.state = recover(self.layout, self.journal, LIMITS).state
            self.journal.open()
        except BaseException:
            self.journal.close()
            raise
        self.now = 0.0
        self.count = 0
        turn = self._turn()
        decide(turn, Boot(True, LIMITS))
        for agent in AGENTS:
            decide(turn, AgentUp(agent, 1, self.state.agent(agent).incarnation + 1, True))
        self._commit(turn)

    def _turn(self) -> Turn:
        return Turn(self.state, self.now, 1_700_000_000_000 + self.count)

    def _commit(self, turn: Turn) -> None:
        self._land()
        done = [(record.seq, crc32(record.body)) for record in turn.records]
        lines, last = encode_records(turn.records), turn.records[-1].seq
        if self.journal.begin(lines, last):
            self.begun = done
        else:
            self.journal.commit(lines, last)
            self.landed += done

    def _land(self) -> None:
        if self.begun:
            begun, self.begun = self.begun, []
            self.journal.end()
            self.landed += begun

    def step(self) -> list[tuple[int, int]]:
        """A group of commands, committed together; at times a snapshot. Gives what may be acknowledged."""
        turn = self._turn()
        for _ in range(self.draw.randrange(1, 12)):
            self.count += 1
            decide(turn, one_command(self.draw, f"{self.tag}-{self.count}"))
        self._commit(turn)
        if self.draw.random() < 0.1:
            self.snapshot()
        landed, self.landed = self.landed, []
        return landed

    def snapshot(self) -> None:
        self._land()
        self.state.pages.begin()
        self.state.pages.step(1 << 30)
        FileSnapshots(self.layout, 3).write(
            Snapshot(
                self.state.seq, self.state.recorded_at, self.state.pages.texts(), agents_view(self.state),
                encode_json(rest_of(self.state)),
            )
        )  # fmt: skip


def live(folder: Path, seed: int, out: int, before: Callable[[], None] = lambda: None) -> None:
    """Runs until killed."""
    before()
    life = Life(folder, seed, background.BackgroundSync.open())
    while True:
        durable = life.step()
        os.write(out, b"".join(b"%d %d\n" % pair for pair in durable))


def fork_life(folder: Path, seed: int, before: Callable[[], None] = lambda: None) -> tuple[int, int]:
    """A life in a process of its own: its pid, and where its acknowledgements can be read."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read_end)
            live(folder, seed, write_end, before)
        finally:
            os._exit(3)
    os.close(write_end)
    return pid, read_end


def die_at(call: int, when: str) -> Callable[[], None]:
    """The process kills itself at the nth system call of the files: `before` it, in the midst of a write, `after`."""

    def install() -> None:
        counted = [0]

        class Deadly:
            def __getattr__(self, name: str) -> object:
                real = getattr(os, name)
                if name not in ("write", "fsync", "fdatasync", "ftruncate", "rename", "replace", "open"):
                    return real

                def wrapped(*args: object, **kwargs: object) -> object:
                    counted[0] += 1
                    if counted[0] != call:
                        return real(*args, **kwargs)
                    if when == "midst" and name == "write":
                        real(args[0], args[1][: len(args[1]) // 2])  # type: ignore[index, arg-type]
                    elif when == "after":
                        real(*args, **kwargs)
                    os.kill(os.getpid(), signal.SIGKILL)
                    return None

                return wrapped

        journal_module.os = layout_module.os = Deadly()  # type: ignore[assignment]
        journal_module._sync = lambda fd: journal_module.os.fdatasync(fd)

    return install


class Witness:
    """What was acknowledged, over all lives; and whether the folder still holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: dict[int, int] = {}

    def saw(self, data: bytes) -> None:
        for line in data.split(b"\n")[:-1]:
            seq, crc = line.split()
            self.acknowledged[int(seq)] = int(crc)

    def check(self) -> State:
        """Recovers as `up` does, and compares. Raises AssertionError."""
        layout = DataLayout(self.folder)
        journal = FileJournal(layout.journal, True, ROTATE)
        state = recover(layout, journal, LIMITS).state
        first = first_available(layout.journal)
        records = {record.seq: crc32(record.body) for record in journal.read(first - 1)}
        lost = [s for s, crc in self.acknowledged.items() if s >= first and records.get(s) != crc]
        assert not lost, f"acknowledged and lost: {lost[:5]}"
        assert state.seq >= max(self.acknowledged, default=0)
        if first == 1:
            verify(journal.read(), LIMITS)
            whole = State(LIMITS)
            for record in journal.read():
                evolve(whole, record, 0.0)
            assert canonical(whole) == canonical(state)
        return state


if __name__ == "__main__":
    live(Path(sys.argv[1]), int(sys.argv[2]), 1)
