"""The state after a start: the checkpoint, and the journal's tail folded over it."""

import gc
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from kortana.adapters.files.edits import EditError, Edits, Graph, differences, read_graph
from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.segments import JournalDamageError, TornTail, first_available
from kortana.adapters.files.snapshots import CheckpointError, FileIdentity, load_checkpoint
from kortana.core.evolve import evolve
from kortana.core.state import Limits, State
from kortana.protocol.event import Record


class Recovered:
    """What recovery found. `notes` are sentences for people; `torn_aside` is where a torn tail was saved; `edits` is
    what a person has changed in task_graph.json, and `edits_seq` the file's seq."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.records = 0
        self.notes: list[str] = []
        self.torn_aside: Path | None = None
        self.edits: Edits = {}
        self.edits_seq = 0


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


def recover(layout: DataLayout, journal: FileJournal, limits: Limits, with_edits: bool = False) -> Recovered:
    """Brings the state back, and mends a torn tail. limits: for a journal that begins without any.

    with_edits: look for what a person has changed by hand. Raises JournalDamageError, EditError and OSError.
    """
    found, identity = _begin(layout, limits)
    begin = found.state.seq
    graph = _edited_graph(layout, identity) if with_edits else None
    if graph is not None and graph.seq < begin:
        what = f"seq {graph.seq} is older than the checkpoint's {begin}; edit the file that Kortana has written last"
        raise EditError(layout.task_graph, 1, what)
    try:
        if graph is not None:
            at = graph.seq
            found.records = fold(found.state, takewhile(lambda r: r.seq <= at, journal.read(after=begin)))
            _take_edits(layout, graph, found)
        found.records += fold(found.state, journal.read(after=found.state.seq))
    except TornTail as torn:
        if graph is not None and found.state.seq <= graph.seq:
            _take_edits(layout, graph, found)
        found.torn_aside = journal.mend(torn)
        found.notes.append(f"{torn}; the torn record was never acknowledged, and is kept in {found.torn_aside.name}")
    _check_not_ahead(layout, begin, found)
    return found


def _begin(layout: DataLayout, limits: Limits) -> tuple[Recovered, FileIdentity | None]:
    try:
        loaded = load_checkpoint(layout.checkpoint)
    except CheckpointError as error:
        found = Recovered(State(limits))
        if (first := first_available(layout.journal)) > 1:
            what = f"{error}, and the journal's records before seq {first} were pruned"
            raise JournalDamageError(layout.checkpoint, 0, what) from None
        found.notes.append(f"{error}; the whole journal is read instead")
        return found, None
    if loaded is None:
        return Recovered(State(limits)), None
    return Recovered(loaded[0]), loaded[1]


def _edited_graph(layout: DataLayout, written: FileIdentity | None) -> Graph | None:
    """task_graph.json where somebody may have touched it since Kortana's last clean end."""
    identity = FileIdentity.of(layout.task_graph)
    return None if identity is None or identity == written else read_graph(layout.task_graph)


def _take_edits(layout: DataLayout, graph: Graph, found: Recovered) -> None:
    """Under the state at the file's seq."""
    if found.state.seq < graph.seq:
        what = f"stands at seq {graph.seq}, which the journal, at {found.state.seq}, does not hold"
        raise JournalDamageError(layout.task_graph, 0, what)
    found.edits = differences(graph, found.state.tasks)
    found.edits_seq = graph.seq


def _check_not_ahead(layout: DataLayout, begin: int, found: Recovered) -> None:
    """A checkpoint must stand on records that are there."""
    if begin == 0 or found.state.seq > begin or first_available(layout.journal) == begin + 1:
        return
    journal = FileJournal(layout.journal)
    last = next(iter(journal.read(after=begin - 1)), None)
    if last is None or last.seq != begin:
        what = f"the checkpoint stands at seq {begin}, which the journal does not hold"
        raise JournalDamageError(layout.checkpoint, 0, what)
