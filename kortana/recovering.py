"""From the data folder to the state that a run begins with, and what a person has changed while nothing ran."""

import gc
from collections.abc import Callable
from typing import Any

from kortana.actors.applying import TAKEN_IN_ONCE, changed_tasks, check_cycles
from kortana.adapters.files.edits import EditError, line_of
from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.recovery import recover
from kortana.config.limits import limits_from
from kortana.config.spec import Config
from kortana.core.state import State
from kortana.ports import Journal
from kortana.protocol.codec import encode_json
from kortana.protocol.event import Event
from kortana.wiring import edit_events, refused_edit

SHOWN_TASKS = 5
"""Of so many tasks that stand in kortana.yaml otherwise than in the graph `up` speaks."""


class Recovery:
    """Recovers, as often as the coordinator has to start over. tell: is told each note for a person."""

    def __init__(self, config: Config, layout: DataLayout, journal: FileJournal, tell: Callable[[str], None]) -> None:
        self._config, self._layout, self._journal, self._tell = config, layout, journal, tell
        self._limits = limits_from(config)
        self.edits: list[Event] = []
        """What a person has changed in task_graph.json while nothing ran."""

    def first(self) -> tuple[State, Journal]:
        """As `again`, and takes in what a person has changed in task_graph.json.

        Raises JournalDamageError, EditError, TaskCycleError and OSError.
        """
        found = recover(self._layout, self._journal, self._limits, with_edits=True)
        self._tell_all(found.notes)
        if found.edits:
            self.edits = edit_events(found.edits, found.edits_seq, found.state.dependants)
            refused = refused_edit(found.state, self._limits, self.edits)
            if refused is not None:
                line = line_of(self._layout.task_graph, refused[0])
                raise EditError(self._layout.task_graph, line, f"tasks.{refused[0]}: {refused[1]}")
        check_cycles(found.state, self._config)
        for name, what in list(changed_tasks(found.state, self._config).items())[:SHOWN_TASKS]:
            self._tell(f"tasks.{name}: {what} is other in kortana.yaml than in the graph: {TAKEN_IN_ONCE}")
        if found.edits:
            for event in self.edits:
                self._tell(f"task_graph.json: took over the edit of {event.task_id}: {_shown(event.payload)}")
            return self.again()
        return self._begin(found.state, for_writing=True)

    def again(self, for_writing: bool = True) -> tuple[State, Journal]:
        """The state in the journal, and a journal to append to, or only to read. Raises JournalGone."""
        self._journal.check_place()
        found = recover(self._layout, self._journal, self._limits)
        self._tell_all(found.notes)
        return self._begin(found.state, for_writing)

    def _begin(self, state: State, for_writing: bool) -> tuple[State, Journal]:
        if for_writing:
            self._journal.open()
        gc.freeze()
        return state, self._journal

    def _tell_all(self, notes: list[str]) -> None:
        for note in notes:
            self._tell(note)


def _shown(edit: dict[str, Any]) -> str:
    """An edit in one line."""
    if edit.get("set") is not None:
        return ", ".join(f"{name} = {encode_json(value).decode()[:80]}" for name, value in edit["set"].items())
    return "removed" if edit.get("remove") else "added"
