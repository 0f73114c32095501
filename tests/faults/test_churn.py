"""Workers that die as fast as they are started again, several at once: the launcher's files are closed and opened under
the same numbers all the time, and it must not wait for any of them."""

import os
from functools import partial
from typing import Any

from tests.e2e.project import AT_ONCE, BOUNDLESS, Project, eventually

RESTARTS = 20_000 if os.environ.get("KORTANA_LONG") else 300
STEP = 100


def test_no_restart_is_the_last_one_and_the_launcher_never_hangs(project: Project) -> None:
    dies = "def run(agent):\n    agent.heartbeat()\n    raise ValueError\n"
    workers: dict[str, Any] = {n: {"command": ["sh", "-c", f"exit {i}"], **AT_ONCE} for i, n in enumerate("abcd")}
    workers["e"] = {"entrypoint": "dying:run", **AT_ONCE}
    project.write({"workers": workers, **BOUNDLESS, "journal": {"durability": "flush"}}, dying__py=dies)
    project.up()
    for wanted in range(STEP, RESTARTS + 1, STEP):
        eventually(partial(_has_come_to, project, wanted), f"{wanted} restarts")
    project.down()
    assert not project.supervision("launcher_hung") and not project.supervision("launcher_gone")
    project.call("replay", "--verify")


def _has_come_to(project: Project, restarts: int) -> bool:
    return sum(row["restarts"] for row in project.json("ps")["workers"]) >= restarts
