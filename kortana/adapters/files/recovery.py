"""The state after a start: the checkpoint, and the journal's tail folded over it."""

import gc
from collections.abc import Iterator
from pathlib import Path

from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.segments import JournalDamageError, TornTail
from kortana.adapters.files.snapshots import CheckpointError, load_checkpoint
from kortana.core.evolve import evolve
from kortana.core.state import Limits, State
from kortana.protocol.event import Record


class Recovered:
    """What recovery found. `notes` are sentences for people; `torn_aside` is where a torn tail was saved."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.records = 0
        self.notes: list[str] = []
        self.torn_aside: Path | None = None


def fold(state: State, records: Iterator[Record]) -> int:
    """Folds records into the state; gives their number. The cycle collector is off for so long."""
    count = 0
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for record in records:
            evolve(state, record, 0.0)
            count += 1
    finally:
        if was_enabled:
            gc.enable()
    return count


def recover(layout: DataLayout, journal: FileJournal, limits: Limits) -> Recovered:
    """Brings the state back, and mends a torn tail. Raises JournalDamageError and OSError."""
    try:
        state = load_checkpoint(layout.checkpoint)
        found = Recovered(state or State(limits))
    except CheckpointError as error:
        found = Recovered(State(limits))
        found.notes.append(f"{error}; the whole journal is read instead")
    begin = found.state.seq
    try:
        found.records = fold(found.state, journal.read(after=begin))
    except TornTail as torn:
        found.torn_aside = journal.mend(torn)
        found.notes.append(f"{torn}; the torn record was never acknowledged, and is kept in {found.torn_aside.name}")
    _check_not_ahead(layout, begin, found)
    return found


def _check_not_ahead(layout: DataLayout, begin: int, found: Recovered) -> None:
    """A checkpoint must stand on records that are there."""
    if begin == 0 or found.records:
        return
    journal = FileJournal(layout.journal)
    last = next(iter(journal.read(after=begin - 1)), None)
    if last is None or last.seq != begin:
        what = f"the checkpoint stands at seq {begin}, which the journal does not hold"
        raise JournalDamageError(layout.checkpoint, 0, what)
