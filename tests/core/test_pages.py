"""A snapshot shows the tasks as they all stood when it began, whatever happens while it is taken."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from kortana.core.pages import TaskPages
from kortana.core.task import Task

NAMES = [f"t{n}" for n in range(12)]
action = st.tuples(st.sampled_from(["change", "add", "remove", "step", "begin"]), st.sampled_from(NAMES))


def shown(pages: TaskPages) -> dict[str, int]:
    text = b",".join(page for page in pages.texts() if page)
    return {name: fields["priority"] for name, fields in json.loads(b"{" + text + b"}").items()}


@given(st.lists(action, max_size=120))
@settings(max_examples=400, deadline=None)
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
