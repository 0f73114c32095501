"""Eight processes contend for a few tasks; what they saw must be explained by one register after another."""

import json
import os

import pytest

from tests.e2e.linearizability import Call, is_linearizable
from tests.e2e.project import Project, eventually

ROUNDS = 4000 if os.environ.get("KORTANA_LONG") else 400
TASKS = 4
CONTENDER = """
import json, random, time
def run(agent):
    draw = random.Random(agent.name)
    with open(f"{agent.name}.history", "w") as out:
        for _ in range(ROUNDS):
            task = f"t{draw.randrange(TASKS)}"
            for kind in ("claim", "release"):
                began = time.monotonic()
                answer = agent.claim_task(task) if kind == "claim" else agent.release_task(task)
                line = {"task": task, "kind": kind, "ok": bool(answer), "token": answer.token if answer else 0}
                out.write(json.dumps({**line, "began": began, "ended": time.monotonic()}) + "\\n")
                if kind == "claim" and not answer and draw.random() < 0.5:
                    break
    open(f"{agent.name}.done", "w").close()
""".replace("ROUNDS", str(ROUNDS // 8)).replace("TASKS", str(TASKS))


def test_what_eight_processes_saw_is_linearizable(project: Project) -> None:
    names = [f"p{n}" for n in range(8)]
    project.write(
        {"workers": {name: {"entrypoint": "contender:run", "restart": "never"} for name in names},
         "tasks": [{"id": f"t{n}"} for n in range(TASKS)]},
        contender__py=CONTENDER,
    )  # fmt: skip
    project.up()
    eventually(lambda: len(list(project.folder.glob("*.done"))) == 8, "all are through", 120)
    project.down()
    histories: dict[str, list[Call]] = {}
    for name in names:
        for line in (project.folder / f"{name}.history").read_text().splitlines():
            found = json.loads(line)
            histories.setdefault(found.pop("task"), []).append(Call(process=name, **found))
    assert sum(map(len, histories.values())) > ROUNDS
    assert sum(not call.ok for calls in histories.values() for call in calls) > ROUNDS // 20, "nobody contended"
    for task, calls in histories.items():
        assert is_linearizable(calls), task
    project.call("replay", "--verify")


def call(process: str, kind: str, ok: bool, began: float, ended: float, token: int = 0) -> Call:
    return Call(process, kind, ok, token, began, ended)


CLAIMED = call("a", "claim", True, 0, 1, 5)


@pytest.mark.parametrize(
    ("calls", "verdict"),
    [
        ([call("a", "claim", True, 0, 1, 5), call("b", "claim", True, 2, 3, 6)], False),
        ([CLAIMED, call("a", "release", True, 5, 6), call("b", "claim", True, 2, 9, 6)], True),
        ([call("a", "claim", True, 0, 1, 5), call("b", "claim", False, 2, 3)], True),
        ([call("b", "claim", False, 2, 3)], False),
        ([CLAIMED, call("a", "release", True, 2, 3), call("b", "claim", True, 4, 5, 4)], False),
        ([call("a", "claim", True, 0, 1, 5), call("b", "release", True, 2, 3)], False),
    ],
    ids=["two holders", "one after the other", "denied", "denied by nobody", "old token", "released by another"],
)  # fmt: skip
def test_the_checker_tells_right_from_wrong(calls: list[Call], verdict: bool) -> None:
    assert is_linearizable(calls) == verdict
