"""All files that the relay reads, and how far it has come in each, across restarts."""

from contextlib import suppress
from pathlib import Path

import msgspec

from kortana.adapters.files.layout import replace_file
from kortana.adapters.relay.tail import Position, TailedFile


class FollowedFiles:
    """positions: the file that says how far; one that is gone or damaged means: from the beginning."""

    def __init__(self, positions: Path) -> None:
        self.positions = positions
        self._files: dict[str, TailedFile] = {}
        self._written = b""
        self._saved: dict[str, Position] = {}
        try:
            self._saved = msgspec.json.decode(positions.read_bytes(), type=dict[str, Position])
        except (OSError, msgspec.MsgspecError):
            pass

    def file(self, path: Path) -> TailedFile:
        """What it was before it got this name is no news in it."""
        key = _key(path)
        if key not in self._files:
            self._files[key] = TailedFile(path, self._saved.get(key) or self._renamed(path) or Position())
        return self._files[key]

    def _renamed(self, path: Path) -> Position | None:
        """The end of a file that was followed under another name, which goes on to read what is left of it."""
        before = [TailedFile(path, position) for position in self._saved.values()]
        for file in [*self._files.values(), *before]:
            with suppress(OSError):
                if (end := file.is_now(path)) is not None:
                    return end
        return None

    def notice(self, folder: Path, renames: list[tuple[str, str]]) -> None:
        """There are other files in this folder. renames: names that became others, in order. Any thread."""
        for at, (old, new) in enumerate(renames):
            file = self._files.get(_key(folder / old))
            if file is not None:
                for before, after in renames[at + 1 :]:
                    new = after if before == new else new
                file.notice(folder / new)
        for file in list(self._files.values()):
            if file.path.parent == folder:
                file.notice()

    def save(self, firsts: dict[TailedFile, int]) -> None:
        """firsts: where in a file the first line stands that is not dealt with; else all that was read is. Raises
        OSError."""
        for file in self._files.values():
            file.done_to(firsts.get(file, file.read_to))
        text = msgspec.json.encode({key: file.position for key, file in self._files.items()})
        if text != self._written:
            replace_file(self.positions, [text, b"\n"], durable=False)
            self._written = text


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
