"""Checks the files under data/ against each other, and mends the journal; whatever is cut is saved aside first."""

import os
from pathlib import Path
from typing import Any

import msgspec

from kortana.adapters.files.bitflip import unflip
from kortana.adapters.files.edits import EditError, read_graph
from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import PRIVATE_FILE, DataLayout, free_name, sync_folder
from kortana.adapters.files.segments import (
    JournalDamageError,
    TornTail,
    first_available,
    lines_of,
    read_records,
    segment_paths,
)
from kortana.adapters.files.snapshots import CheckpointError, load_checkpoint
from kortana.core.checkpoint import canonical
from kortana.core.evolve import evolve
from kortana.core.limits import Limits
from kortana.core.state import State
from kortana.protocol.codec import FrameError, decode_record

MAX_REPAIRS = 1000


class Finding(msgspec.Struct, frozen=True):
    """One thing that fsck has to say."""

    level: str
    """`ok`, `note` (nothing need be done), or `damage`."""
    file: str
    offset: int | None
    what: str
    remedy: str = ""


class _Scan(msgspec.Struct):
    """What reading the journal came to."""

    last_seq: int = 0
    first_seq: int = 1
    records: int = 0
    damage: JournalDamageError | None = None
    torn: TornTail | None = None
    state: State | None = None
    """The fold of the journal, where it begins at 1."""
    at_checkpoint: bytes | None = None
    """Its canonical form at the checkpoint's seq."""


def examine(layout: DataLayout, limits: Limits) -> list[Finding]:
    """Everything that is worth saying about the data folder. Reads only."""
    found: list[Finding] = []
    checkpoint, checkpoint_finding = _load(layout)
    scan = _scan(layout, limits, checkpoint.seq if checkpoint else 0)
    found += _journal_findings(layout, scan)
    if checkpoint_finding is not None:
        found.append(checkpoint_finding)
    elif checkpoint is not None:
        found.append(_compare(layout, checkpoint, scan))
    found.append(_graph_finding(layout, scan))
    return found


def _load(layout: DataLayout) -> tuple[State | None, Finding | None]:
    try:
        loaded = load_checkpoint(layout.checkpoint)
    except CheckpointError as error:
        pruned = first_available(layout.journal) > 1
        level = "damage" if pruned else "note"
        what = "it is needed: the journal's oldest records were pruned" if pruned else "the journal is read instead"
        return None, Finding(level, layout.checkpoint.name, None, f"{error}; {what}")
    return (loaded[0], None) if loaded else (None, None)


def _scan(layout: DataLayout, limits: Limits, checkpoint_seq: int) -> _Scan:
    scan = _Scan(first_seq=first_available(layout.journal))
    scan.last_seq = scan.first_seq - 1
    state = scan.state = State(limits) if scan.first_seq == 1 else None
    try:
        for record in read_records(layout.journal, scan.first_seq - 1):
            scan.records += 1
            scan.last_seq = record.seq
            if state is not None:
                evolve(state, record, 0.0)
                if record.seq == checkpoint_seq:
                    scan.at_checkpoint = canonical(state)
    except TornTail as torn:
        scan.torn = torn
    except JournalDamageError as error:
        scan.damage = error
    return scan


def _journal_findings(layout: DataLayout, scan: _Scan) -> list[Finding]:
    files = len(segment_paths(layout.journal))
    if scan.damage is not None:
        error = scan.damage
        return [Finding("damage", error.path.name, error.offset, error.what, "kortana fsck --repair")]
    found = [Finding("ok", layout.journal.name, None,
                     f"{scan.records} records, seq {scan.first_seq} to {scan.last_seq}, in {files} files")]  # fmt: skip
    if scan.torn is not None:
        what = "a last record that was not wholly written, and so never acknowledged"
        found.append(Finding("note", scan.torn.path.name, scan.torn.offset, what, "`kortana up` puts it aside"))
    return found


def _compare(layout: DataLayout, checkpoint: State, scan: _Scan) -> Finding:
    name = layout.checkpoint.name
    if scan.damage is None and checkpoint.seq > scan.last_seq:
        what = f"stands at seq {checkpoint.seq}, ahead of the journal's {scan.last_seq}"
        return Finding("damage", name, None, what, "kortana fsck --repair")
    if scan.at_checkpoint is not None and scan.at_checkpoint != canonical(checkpoint):
        what = f"at seq {checkpoint.seq} it is not what the journal adds up to"
        return Finding("damage", name, None, what, "kortana fsck --repair")
    return Finding("ok", name, None, f"seq {checkpoint.seq}")


def _graph_finding(layout: DataLayout, scan: _Scan) -> Finding:
    name = layout.task_graph.name
    try:
        graph = read_graph(layout.task_graph)
    except FileNotFoundError:
        return Finding("note", name, None, "is not there; it is written again")
    except EditError as error:
        return Finding("note", name, None, str(error), "mend it, or delete it: Kortana writes it anew")
    if scan.damage is None and graph.seq > scan.last_seq:
        return Finding("damage", name, None, f"stands at seq {graph.seq}, ahead of the journal's {scan.last_seq}",
                       "kortana fsck --repair")  # fmt: skip
    return Finding("ok", name, None, f"seq {graph.seq}, {len(graph.tasks)} tasks")


def repair(layout: DataLayout, limits: Limits) -> list[str]:
    """Mends what can be mended; gives what was done. Raises OSError.

    One flipped bit is flipped back. What else is damaged is put aside with all that comes after it, unless a
    checkpoint stands beyond it: then the journal begins after that checkpoint.
    """
    done: list[str] = []
    for _ in range(MAX_REPAIRS):
        checkpoint, _ = _load(layout)
        scan = _scan(layout, limits, checkpoint.seq if checkpoint else 0)
        if scan.damage is None:
            if scan.torn is not None:
                aside = FileJournal(layout.journal).mend(scan.torn)
                done.append(f"{scan.torn}: cut, and kept in {aside.name}")
            break
        done.append(_mend_damage(layout, scan.damage, scan.last_seq, checkpoint))
    checkpoint, _ = _load(layout)
    scan = _scan(layout, limits, checkpoint.seq if checkpoint else 0)
    return done + _put_aside_what_is_ahead(layout, checkpoint, scan)


def _mend_damage(layout: DataLayout, damage: JournalDamageError, last_seq: int, checkpoint: State | None) -> str:
    path, offset = damage.path, damage.offset
    lines = lines_of(path, offset)
    line = next((text for _, text in lines), b"")
    mended = unflip(line, next((text for _, text in lines), b""))
    if mended is not None:
        aside = _copy_aside(path, "flipped", offset)
        with path.open("r+b") as file:
            file.seek(offset)
            assert len(mended[0]) == mended[1]
            file.write(mended[0])
            file.flush()
            os.fsync(file.fileno())
        return f"{path.name}, offset {offset}: one flipped bit flipped back; the file as it was is {aside.name}"
    if checkpoint is not None and checkpoint.seq > last_seq:
        return _begin_after(layout, checkpoint.seq, damage)
    return _cut(layout, damage, last_seq)


def _copy_aside(path: Path, why: str, offset: int) -> Path:
    aside = free_name(path.with_name(f"{path.name}.{why}-{offset}"))
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with open(fd, "wb") as copy, path.open("rb") as file:
        while chunk := file.read(1 << 20):
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    sync_folder(path.parent)
    return aside


def _cut(layout: DataLayout, damage: JournalDamageError, last_seq: int) -> str:
    """The journal ends before the damage; the damaged file is kept whole, and later files are put aside."""
    path = damage.path
    paths = segment_paths(layout.journal)
    aside = _copy_aside(path, "damaged", damage.offset)
    kept = [aside.name]
    for later in paths[paths.index(path) + 1 :]:
        target = free_name(later.with_name(f"{later.name}.after-damage"))
        os.replace(later, target)
        kept.append(target.name)
    with path.open("r+b") as file:
        file.truncate(damage.offset)
        os.fsync(file.fileno())
    sync_folder(path.parent)
    return f"{path.name}, offset {damage.offset}: the journal now ends at seq {last_seq}; kept: {', '.join(kept)}"


def _begin_after(layout: DataLayout, seq: int, damage: JournalDamageError) -> str:
    """Files up to the checkpoint's seq are put aside; the rest of the last of them stays."""
    rest: list[bytes] = []
    kept: list[str] = []
    for path in segment_paths(layout.journal):
        whole = _records_after(path, seq)
        if whole is None:
            continue
        aside = free_name(path.with_name(f"{path.name}.damaged-{damage.offset}"))
        os.replace(path, aside)
        kept.append(aside.name)
        rest += whole
    if rest:
        target = layout.journal if not layout.journal.exists() else _before(layout)
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "wb") as file:
            file.writelines(rest)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(layout.root)
    return (
        f"{damage.path.name}, offset {damage.offset}: the checkpoint at seq {seq} stands for what comes before it; "
        f"the journal begins after it; kept: {', '.join(kept)}"
    )


def _before(layout: DataLayout) -> Path:
    """A segment name before all that are left."""
    return layout.journal.with_name("coordination_events.000000.jsonl")


def _records_after(path: Path, seq: int) -> list[bytes] | None:
    """The lines with a higher seq of a file that also has lower ones (or damage); None where it has none of them."""
    lines, older = [], False
    for _, line in lines_of(path):
        try:
            record = decode_record(line.rstrip(b"\n"))
        except FrameError:
            older = True
            continue
        if record.seq <= seq:
            older = True
        else:
            lines.append(line)
    return lines if older else None


def _put_aside_what_is_ahead(layout: DataLayout, checkpoint: State | None, scan: _Scan) -> list[str]:
    """Snapshots that the journal does not hold, or contradicts."""
    done = []
    wrong = checkpoint is not None and _compare(layout, checkpoint, scan).level == "damage"
    pairs: list[tuple[Path, Any]] = [(layout.checkpoint, wrong)]
    pairs.append((layout.task_graph, _graph_finding(layout, scan).level == "damage"))
    for path, bad in pairs:
        if bad:
            aside = free_name(path.with_name(f"{path.name}.ahead"))
            os.replace(path, aside)
            done.append(f"{path.name}: not what the journal holds; kept in {aside.name}")
    if done:
        sync_folder(layout.root)
    return done
