"""Who begins when a worker's incarnation ends, without a word from the supervisor, and what is known of that end."""

from kortana.ports import ProcessExit
from kortana.processes.black_box import BlackBox
from kortana.processes.crash_record import CrashName
from kortana.processes.incarnation import Child
from kortana.processes.messages import Key, StartAfter


class Succession:
    """Of all workers. An appointment ends when its process is started, or when it is withdrawn."""

    def __init__(self, black_box: BlackBox) -> None:
        self._black_box = black_box
        self._appointed: dict[Key, StartAfter] = {}

    def appoint(self, message: StartAfter) -> None:
        self._appointed[message.start.key] = message

    def get(self, key: Key) -> StartAfter | None:
        return self._appointed.get(key)

    def after(self, child: Child) -> StartAfter | None:
        """Who begins now that this one has ended. Nobody after one that never began."""
        found = self._appointed.get((child.spec.worker, child.spec.incarnation + 1))
        if found is None or child.status_fd >= 0 or child.start_error or child.exit_code() in found.but_not:
            return None
        return found

    def keep(self, child: Child, how: ProcessExit, after: StartAfter) -> tuple[CrashName | None, bool]:
        """What its record is to be called, and whether its successor may begin: what is known of a crash is on the
        disk."""
        if how.code in after.normal:
            return None, True
        name = self._black_box.keep(child, how, after.settings)
        return name, name is not None

    def forget(self, key: Key) -> None:
        """It is started, or not wanted."""
        self._appointed.pop(key, None)

    def settle(self, key: Key) -> None:
        """The supervisor has dealt with the end before this one."""
        self._black_box.settle((key[0], key[1] - 1))

    def close(self) -> None:
        """Nobody begins any more."""
        self._appointed.clear()
        self._black_box.close()
