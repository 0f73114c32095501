"""Workers that race for thousands of tasks: no task has two live leases, by the journal alone."""

import os

from tests.e2e.project import Project, eventually

TASKS = 4000 if os.environ.get("KORTANA_LONG") else 1000
RACER = """
import random
from kortana import ClaimDenied
def race(agent):
    draw = random.Random(agent.name)
    names = [f"t{n}" for n in range(%d)]
    draw.shuffle(names)
    for name in names[:len(names) // 2]:
        answer = agent.claim_task(name)
        if answer:
            agent.update_task_status(name, "completed")
    while answer := agent.claim_task():
        agent.update_task_status(answer.task_id, "completed")
    print("through")
"""


def test_racing_claimants_never_hold_one_task_together(project: Project) -> None:
    names = ("a", "b", "c", "d")
    project.write(
        {
            "workers": {name: {"entrypoint": "racer:race", "restart": "transient"} for name in names},
            "tasks": [{"id": f"t{n}"} for n in range(TASKS)],
        },
        racer__py=RACER % TASKS,
    )
    project.up("--exit-when-done")
    eventually(lambda: project.task_counts() == {"completed": TASKS}, "all tasks are done")
    eventually(project.all_gone, "the tree has ended by itself")
    audit = project.audit()
    assert audit.violations == []
    assert audit.grants == TASKS and audit.denials > 50
    project.call("replay", "--verify")


def test_a_kill_in_the_midst_of_a_race_leaves_one_holder_at_a_time(project: Project) -> None:
    racer = RACER % TASKS + "    import time; time.sleep(1000)\n"
    project.write(
        {
            "workers": {n: {"entrypoint": "racer:race", "backoff": {"initial": "0s"}} for n in ("a", "b")},
            "tasks": [{"id": f"t{n}"} for n in range(TASKS)],
            "supervisor": {"intensity": 100}, "defaults": {"intensity": 50, "period": "10s"},
        },
        racer__py=racer,
    )  # fmt: skip
    project.up()
    for round_ in range(2, 8):
        victim = "ab"[round_ % 2]
        os.kill(project.worker(victim)["pid"], 9)
        eventually(lambda name=victim, at=round_ // 2: project.running(name, at), f"{victim} is back")
    eventually(lambda: project.task_counts() == {"completed": TASKS}, "all tasks are done")
    project.down()
    assert project.audit().violations == []
