"""What the files alone tell: the journal's records, and the state that they fold into."""

import itertools
from collections.abc import Iterator

from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.recovery import fold
from kortana.adapters.files.segments import (
    JournalDamageError,
    TornTail,
    first_available,
)
from kortana.adapters.files.snapshots import CheckpointError, load_checkpoint
from kortana.cli.common import Project
from kortana.cli.errors import DAMAGED, FAILED, CliError
from kortana.core.state import Limits, State
from kortana.protocol.event import Record


def limits_for(project: Project) -> Limits:
    spec = project.config.coordinator
    return Limits(max_attempts=spec.max_attempts, mailbox_limit=spec.mailbox_limit)


def journal_records(project: Project, after: int = 0) -> Iterator[Record]:
    """The journal's whole records; a torn last one is left out. Raises CliError where it is damaged."""
    try:
        yield from FileJournal(project.layout.journal).read(after)
    except TornTail:
        return
    except JournalDamageError as error:
        raise CliError(DAMAGED, "damaged", f"the journal is damaged: {error}", "nothing was changed") from None


def offline_state(project: Project, until_seq: int | None = None, until_time: str | None = None) -> State:
    """The journal folded up to a seq, or a time; from the checkpoint on where its beginning was pruned. Reads only."""
    state = _begin(project, until_seq, until_time)
    fold(state, up_to(journal_records(project, state.seq), until_seq, until_time))
    return state


def current_state(project: Project) -> State:
    """What a start would find: the checkpoint, and the journal's tail folded over it. Reads only."""
    try:
        loaded = load_checkpoint(project.layout.checkpoint)
    except CheckpointError:
        loaded = None
    if loaded is None:
        return offline_state(project)
    fold(loaded[0], journal_records(project, loaded[0].seq))
    return loaded[0]


def up_to(records: Iterator[Record], until_seq: int | None, until_time: str | None) -> Iterator[Record]:
    """Those up to a seq, and up to a time."""
    return itertools.takewhile(
        lambda r: (until_seq is None or r.seq <= until_seq) and (until_time is None or r.recorded_at <= until_time),
        records,
    )


def _begin(project: Project, until_seq: int | None, until_time: str | None) -> State:
    first = first_available(project.layout.journal)
    if first == 1:
        return State(limits_for(project))
    try:
        loaded = load_checkpoint(project.layout.checkpoint)
    except CheckpointError as error:
        raise CliError(DAMAGED, "damaged", str(error), "`kortana fsck` explains") from None
    if loaded is None or (until_seq or loaded[0].seq) < loaded[0].seq or (until_time or "Z") < loaded[0].recorded_at:
        raise CliError(FAILED, "pruned", f"the records before seq {first} were pruned (journal.keep_segments)")
    return loaded[0]
