"""Snapshot files: task_graph.json and agent_state.json for readers, checkpoint.json for recovery."""

import os
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import msgspec

from kortana.adapters.files.layout import DataLayout, replace_file
from kortana.adapters.files.segments import prune
from kortana.core.checkpoint import Checkpoint, restore
from kortana.core.state import State
from kortana.ports import Snapshot
from kortana.protocol.codec import encode_json

_CRC_TAIL = len(b',"crc":"00000000"}\n')


class FileIdentity(msgspec.Struct, frozen=True, array_like=True):
    """Which file it is, and in which state: the same values mean that nobody has touched it since."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileIdentity | None":
        try:
            info = os.stat(path)
        except FileNotFoundError:
            return None
        return cls(info.st_ino, info.st_size, info.st_mtime_ns)


class StoredCheckpoint(Checkpoint, frozen=True, kw_only=True):
    """checkpoint.json: the state, and which task_graph.json was written with it."""

    graph: FileIdentity | None = None


class FileSnapshots:
    """Writes each file anew and renames it into place; once a checkpoint is durable, the journal's oldest files that
    it covers may go. keep_segments: how many rotated files stay in any case, 0 for all. check: raises JournalGone where
    the journal is not there any more."""

    def __init__(
        self, layout: DataLayout, keep_segments: int = 0, check: Callable[[], None] = lambda: None
    ) -> None:
        self._layout = layout
        self._keep_segments = keep_segments
        self._check = check

    def write(self, snapshot: Snapshot) -> None:
        """Raises OSError, and what `check` does; the old files stay whole."""
        self._check()
        head = b'{"version":1,"seq":%d,"updated_at":"%b",' % (snapshot.seq, snapshot.at.encode())
        tasks = _join_pages(snapshot.pages)
        replace_file(self._layout.task_graph, [head, b'"tasks":{\n', *tasks, b"}}\n"])
        agents = encode_json(snapshot.agents)
        replace_file(self._layout.agent_state, [head, b'"agents":', agents, b"}\n"])
        if snapshot.rest is not None:
            self._write_checkpoint(snapshot.rest, tasks)
            if self._keep_segments:
                prune(self._layout.journal, self._keep_segments, snapshot.seq)

    def _write_checkpoint(self, rest: bytes, tasks: list[bytes]) -> None:
        graph = encode_json(FileIdentity.of(self._layout.task_graph))
        parts = [rest[:-1], b',"graph":', graph, b',"tasks":{', *tasks, b"}"]
        crc = 0
        for part in parts:
            crc = crc32(part, crc)
        replace_file(self._layout.checkpoint, [*parts, b',"crc":"%08x"}\n' % crc])


def _join_pages(pages: list[bytes]) -> list[bytes]:
    parts: list[bytes] = []
    for page in pages:
        if page:
            parts += [b",\n", page] if parts else [page]
    return parts


class CheckpointError(Exception):
    """A checkpoint that cannot be used; recovery can read the whole journal instead."""


def load_checkpoint(path: Path) -> tuple[State, FileIdentity | None] | None:
    """The state in checkpoint.json, and the task_graph.json of then; None where there is no such file.

    Raises CheckpointError.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    head = memoryview(data)[:-_CRC_TAIL]
    if data[-_CRC_TAIL:] != b',"crc":"%08x"}\n' % crc32(head):
        raise CheckpointError(f"{path.name}: the crc does not match")
    try:
        found = msgspec.json.decode(data, type=StoredCheckpoint)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    if found.version != 1:
        raise CheckpointError(f"{path.name}: version {found.version} is not known here")
    return restore(found), found.graph
