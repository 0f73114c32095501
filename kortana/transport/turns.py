"""Whose lines are taken next, and how many of them.

Who floods waits for itself, and a turn is short: what comes from others during one waits for its end.
"""

from kortana.transport.connection import Connection, Inbound

FRAMES, BRIEF_FRAMES, BEHIND_FRAMES = 64, 16, 8
"""Frames that one connection gets in a turn. Where it floods, which means that it was not through in the turn before
this one or the one before that: the second, if others wait for the end of the turn, and the third, if others speak too.
"""
COMPANY_TURNS = 16
"""Others that have spoken are expected to speak again for so many turns of one that floods."""


class Turns:
    """behind: connections with lines that have had no turn; they are not read from until they have."""

    def __init__(self) -> None:
        self.behind: dict[int, Connection] = {}
        self._through: set[int] = set()
        """Of connections that were behind until the last turn."""
        self._company = 0

    @property
    def is_crowded(self) -> bool:
        """Somebody floods, and is not alone."""
        return bool(self.behind or self._through) and self._company > 0

    def give(self, speaking: list[Connection], inbound: list[Inbound], brief: bool) -> None:
        """To who has been read from just now, then to who floods. brief: others wait for the end of the turn."""
        floods, self.behind = self.behind, {}
        through, self._through = self._through, set()
        self._company = COMPANY_TURNS if len(speaking) + len(floods) > 1 else max(self._company - 1, 0)
        for connection in speaking:
            if connection.id in through:
                floods[connection.id] = connection
            else:
                self._take_lines(connection, FRAMES, inbound)
        most = BEHIND_FRAMES
        if not self._company:
            most = BRIEF_FRAMES if brief else FRAMES
        for connection in floods.values():
            if not self._take_lines(connection, most, inbound):
                self._through.add(connection.id)

    def forget(self, connection: Connection) -> None:
        """It is gone, and what it had said and was not taken yet."""
        self.behind.pop(connection.id, None)
        self._through.discard(connection.id)

    def _take_lines(self, connection: Connection, most: int, inbound: list[Inbound]) -> bool:
        """Whether it is behind now."""
        lines = connection.lines
        for _ in range(min(most, len(lines))):
            inbound.append(connection.take_line())
            if connection.closing:
                lines.clear()
                return False
        if lines:
            self.behind[connection.id] = connection
        return bool(lines)
