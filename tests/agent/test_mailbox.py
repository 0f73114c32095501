"""What an adapter's log says of a task."""

import pytest

from kortana.agent.answers import Answer, Task
from kortana.agent.mailbox import SHOWN_CHARS, say_claimed


@pytest.mark.parametrize(("fields", "shown"), [
    ({}, ""), ({"title": "Mend it", "run": "make"}, ": Mend it"), ({"run": "make\nmake test\n"}, ": make ..."),
    ({"prompt": "\n  Mend it.\n"}, ": Mend it."), ({"prompt": "x" * 1000}, f": {'x' * SHOWN_CHARS} ..."),
])  # fmt: skip
def test_a_claim_is_told_on_one_line(fields: dict[str, str], shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    lease = {"token": 7, "ttl_s": 120.0}
    answer = Answer({"accepted": True, "reason": "", "task": {"id": "t", **fields}, "lease": lease})
    say_claimed(Task(answer, None))  # type: ignore[arg-type]
    assert capsys.readouterr().out == f"claimed t (token 7){shown}\n"
