"""When snapshots are taken, and how: in small steps between batches, paced by what they cost."""

from kortana.core.checkpoint import rest_of
from kortana.core.state import State
from kortana.core.views import agents_view
from kortana.ports import Clock, Snapshot
from kortana.protocol.codec import encode_json

MIN_INTERVAL_S = 0.25
DUTY = 0.02
"""The share of the coordinator's time that snapshots may take."""
WRITE_DUTY = 0.1
"""The share of the time in which a snapshot may be on its way to the disk."""
PAGES_PER_STEP = 4
STEP_DUTY = 0.03
"""The share of the time that a snapshot under way may take, page by page: a large graph is no long pause."""
IDLE_S = 0.25
"""Where nothing has happened for so long, shares are no matter: what is shown is to be what is."""
LONG_WRITE_S = 0.5
"""But a disk, or a graph, that takes longer than this would be at it all the time."""
CHECKPOINT_RECORDS = 200_000
CHECKPOINT_INTERVAL_S = 120.0


class Snapshotter:
    """Takes the state at one seq, page by page, while the coordinator goes on. Owned by the coordinator."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock
        self._taken_seq = 0
        self._next_at = 0.0
        self._cost_s = self._write_s = 0.0
        self._running: Snapshot | None = None
        self._step_at = 0.0
        self._seen_seq = -1
        self._idle_at = 0.0
        """When it will be idle, if nothing happens until then."""
        self._writing = False
        self._checkpoint_seq = state.seq
        self._checkpoint_at = clock.monotonic()

    def next_due(self) -> float | None:
        """When `step` has something to do (monotonic), or None while nothing has changed."""
        if self._running is not None:
            return min(self._step_at, self._idle_at)
        if self._writing or self._taken_seq == self._state.seq:
            return None
        return self._next_at if self._write_s > LONG_WRITE_S else min(self._next_at, self._idle_at)

    def written(self, seconds: float) -> None:
        """The last snapshot is on disk, after so much time: the next one is paced by that as well."""
        self._writing = False
        self._write_s = seconds
        self._next_at = max(self._next_at, self._clock.monotonic() + seconds / WRITE_DUTY)

    def step(self) -> Snapshot | None:
        """A small piece of work where it is due; gives a snapshot when one is complete. To be called after each turn:
        it is by that that it knows when nothing happens."""
        now = self._clock.monotonic()
        if self._state.seq != self._seen_seq:
            self._seen_seq, self._idle_at = self._state.seq, now + IDLE_S
        due = self.next_due()
        if due is None or now < due:
            return None
        if self._running is None:
            self._begin(self._checkpoint_is_due(now))
        return self._advance(PAGES_PER_STEP, now)

    def take_all(self) -> Snapshot | None:
        """A whole snapshot with a checkpoint, at once."""
        began = self._clock.monotonic()
        if self._running is not None:
            self._advance(1 << 30, began)
        self._begin(checkpoint=True)
        return self._advance(1 << 30, began)

    def _checkpoint_is_due(self, now: float) -> bool:
        records = self._state.seq - self._checkpoint_seq
        return records >= CHECKPOINT_RECORDS or (records > 5000 and now - self._checkpoint_at > CHECKPOINT_INTERVAL_S)

    def _begin(self, checkpoint: bool) -> None:
        state = self._state
        began = self._clock.monotonic()
        rest = encode_json(rest_of(state)) if checkpoint else None
        if checkpoint:
            self._checkpoint_seq, self._checkpoint_at = state.seq, began
        state.pages.begin()
        self._running = Snapshot(state.seq, state.recorded_at, [], agents_view(state), rest)
        self._cost_s = self._clock.monotonic() - began

    def _advance(self, pages: int, began: float) -> Snapshot | None:
        assert self._running is not None
        complete = self._state.pages.step(pages)
        now = self._clock.monotonic()
        self._cost_s += now - began
        if not complete:
            self._step_at = now + (now - began) / STEP_DUTY
            return None
        taken = self._running
        self._running = None
        self._taken_seq = taken.seq
        self._writing = True
        self._next_at = now + max(MIN_INTERVAL_S, self._cost_s / DUTY)
        return Snapshot(taken.seq, taken.at, self._state.pages.texts(), taken.agents, taken.rest)
