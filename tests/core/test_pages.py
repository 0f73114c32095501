"""A snapshot shows the tasks as they all stood when it began, whatever happens while it is taken."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kortana.actors import queries
from kortana.core.limits import Limits
from kortana.core.pages import TaskPages
from kortana.core.state import State
from kortana.core.task import Task
from kortana.protocol import calls

NAMES = [f"t{n}" for n in range(12)]
action = st.tuples(st.sampled_from(["change", "add", "remove", "step", "begin"]), st.sampled_from(NAMES))


def shown(pages: TaskPages) -> dict[str, int]:
    text = b",".join(page for page in pages.texts() if page)
    return {name: fields["priority"] for name, fields in json.loads(b"{" + text + b"}").items()}


@given(st.lists(action, max_size=120))
@settings(max_examples=400)
def test_a_round_gives_its_beginning(actions: list[tuple[str, str]]) -> None:
    tasks: dict[str, Task] = {}
    pages = TaskPages(tasks, page_tasks=3)
    began: dict[str, int] | None = None
    for number, (what, name) in enumerate([*actions, *[("step", "")] * 20]):
        if what == "add" and name not in tasks:
            pages.add(name)
            tasks[name] = Task(name, created_seq=number, priority=number)
        elif what == "change" and name in tasks:
            pages.touch(name)
            tasks[name].priority = number
        elif what == "remove" and name in tasks:
            pages.remove(name)
            del tasks[name]
        elif what == "begin" and began is None:
            pages.begin()
            began = {n: task.priority for n, task in tasks.items()}
        elif what == "step" and began is not None and pages.step(1):
            assert shown(pages) == began
            began = None


@given(st.lists(action, max_size=60), st.integers(1, 4))
@settings(max_examples=200)
def test_places_lead_through_all_tasks_in_order_while_others_come(actions: list[tuple[str, str]], size: int) -> None:
    """What was there at the beginning and stays is given once, in order."""
    tasks: dict[str, Task] = {f"old{n}": Task(f"old{n}", created_seq=0) for n in range(8)}
    pages = TaskPages(tasks, page_tasks=3)
    seen: list[str] = []
    place: int | None = 0
    for what, name in [*actions, *[("read", "")] * 80]:
        if what == "add" and name not in tasks:
            pages.add(name)
            tasks[name] = Task(name, created_seq=1)
        elif what in ("step", "read") and place is not None:
            found = list(itertools.islice(pages.names(place), size + 1))
            seen += [each for _, each in found[:size]]
            place = found[size][0] if len(found) > size else None
    assert place is None and [name for name in seen if name.startswith("old")] == [f"old{n}" for n in range(8)]
    assert len(set(seen)) == len(seen)


def test_no_page_of_a_query_looks_at_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_LOOKED", 10)
    state = State(Limits())
    for number in range(35):
        status = "completed" if number == 34 else "pending"
        state.pages.add(f"t{number}")
        state.tasks[f"t{number}"] = Task(f"t{number}", created_seq=number, status=status)
    found, place, rounds = [], 0, 0
    while place is not None:
        answer = queries.answer_query(state, "tasks", calls.TaskPage(start=place, status="completed"))["result"]
        found, place, rounds = found + answer["tasks"], answer["next"], rounds + 1
    assert len(found) == 1 and rounds == 4
