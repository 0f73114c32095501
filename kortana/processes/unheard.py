"""What happens to an incarnation before its supervisor lets it begin."""

from collections.abc import Callable

from kortana.processes.messages import FromLauncher, Key, OfWorker


class Unheard:
    """Keeps what would be told of some incarnations, until it is asked for or not needed. tell: passes on the rest."""

    def __init__(self, tell: Callable[[FromLauncher], None]) -> None:
        self._tell = tell
        self._kept: dict[Key, list[OfWorker]] = {}

    def keep(self, key: Key) -> None:
        """From now on nothing is told of it."""
        self._kept[key] = []

    def tell(self, message: OfWorker) -> None:
        """Now, or when it is asked for."""
        kept = self._kept.get((message.worker, message.incarnation))
        if kept is None:
            self._tell(message)
        else:
            kept.append(message)

    def release(self, key: Key) -> bool:
        """Tells all there is, and what comes from now on at once. False where nothing was kept of it."""
        kept = self._kept.pop(key, None)
        for message in kept or ():
            self._tell(message)
        return kept is not None

    def drop(self, key: Key) -> bool:
        """Nobody will ask for it. False where nothing was kept of it."""
        return self._kept.pop(key, None) is not None

    def all(self) -> list[Key]:
        return list(self._kept)
