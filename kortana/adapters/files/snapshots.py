"""Snapshot files: task_graph.json and agent_state.json for readers, checkpoint.json for recovery."""

from pathlib import Path
from zlib import crc32

import msgspec

from kortana.adapters.files.layout import DataLayout, replace_file
from kortana.core.checkpoint import Checkpoint, restore
from kortana.core.state import State
from kortana.ports import Snapshot
from kortana.protocol.codec import encode_json

_CRC_TAIL = len(b',"crc":"00000000"}\n')


class FileSnapshots:
    """Writes each file anew and renames it into place."""

    def __init__(self, layout: DataLayout) -> None:
        self._layout = layout

    def write(self, snapshot: Snapshot) -> None:
        """Raises OSError; the old files stay whole."""
        head = b'{"version":1,"seq":%d,"updated_at":"%b",' % (snapshot.seq, snapshot.at.encode())
        tasks = _join_pages(snapshot.pages)
        replace_file(self._layout.task_graph, [head, b'"tasks":{', *tasks, b"}}\n"], durable=False)
        agents = encode_json(snapshot.agents)
        replace_file(self._layout.agent_state, [head, b'"agents":', agents, b"}\n"], durable=False)
        if snapshot.rest is not None:
            self._write_checkpoint(snapshot.rest, tasks)

    def _write_checkpoint(self, rest: bytes, tasks: list[bytes]) -> None:
        parts = [rest[:-1], b',"tasks":{', *tasks, b"}"]
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


def load_checkpoint(path: Path) -> State | None:
    """The state in checkpoint.json; None where there is no such file. Raises CheckpointError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    head = memoryview(data)[:-_CRC_TAIL]
    if data[-_CRC_TAIL:] != b',"crc":"%08x"}\n' % crc32(head):
        raise CheckpointError(f"{path.name}: the crc does not match")
    try:
        found = msgspec.json.decode(data, type=Checkpoint)
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    if found.version != 1:
        raise CheckpointError(f"{path.name}: version {found.version} is not known here")
    return restore(found)
