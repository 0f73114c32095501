"""Whose lines are taken next, and how many of them.

Who floods waits for itself, and a turn is short: what comes from others during one waits for its end.
"""

from kortana.transport.connection import Connection, Inbound

FRAMES, BRIEF_FRAMES, BEHIND_FRAMES = 64, 16, 8
"""Frames that one connection gets in a turn. Where it was not through last time: the second, if others wait for the end
of the turn, and the third, if others speak too."""


class Turns:
    """behind: connections with lines that have had no turn; they are not read from until they have."""

    def __init__(self) -> None:
        self.behind: dict[int, Connection] = {}

    def give(self, speaking: list[Connection], inbound: list[Inbound], brief: bool) -> None:
        """To who has been read from just now, then to who was behind. brief: others wait for the end of the turn."""
        behind, self.behind = self.behind, {}
        most = BEHIND_FRAMES
        if len(speaking) + len(behind) == 1:
            most = BRIEF_FRAMES if brief else FRAMES
        for connection in speaking:
            self._take_lines(connection, FRAMES, inbound)
        for connection in behind.values():
            self._take_lines(connection, most, inbound)

    def forget(self, connection: Connection) -> None:
        """It is gone, and what it had said and was not taken yet."""
        self.behind.pop(connection.id, None)

    def _take_lines(self, connection: Connection, most: int, inbound: list[Inbound]) -> None:
        lines = connection.lines
        for _ in range(min(most, len(lines))):
            inbound.append(connection.take_line())
            if connection.closing:
                lines.clear()
                return
        if lines:
            self.behind[connection.id] = connection
