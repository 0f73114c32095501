"""The shell adapter: claims the next task that it can do, runs its `run:` with /bin/sh, and reports the outcome."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from typing import Any

from kortana.agent.answers import Answer, Task
from kortana.agent.interface import AgentInterface
from kortana.agent.mailbox import (
    PATIENCE_S,
    QUOTA_EXIT_CODE,
    give_back_blocked,
    heed_mailbox,
    is_lease_gone,
    say,
    say_claimed,
    say_heard,
)
from kortana.agent.plain import last_of
from kortana.processes.following import follow
from kortana.processes.sessions import SHELL, end_session, start_apart
from kortana.protocol.event import Event
from kortana.protocol.payloads import asked_by

CLAIM_WAIT_S = 600.0
KEPT_LINES = 20
KEPT_CHARS = 400
LINES_BYTES = 32 * 1024
"""Of the last lines, as JSON: they have to fit into one event."""
STOP_GRACE_S = 5.0
NOTE_INTERVAL_S, NOTE_CHARS = 10.0, 200
"""The last line of output is told as what is being done, so often and so much of it."""


def run(agent: AgentInterface) -> None:
    """The adapter's whole life: one task after another until it is stopped."""
    _Shell(agent).serve()


class _Shell:
    def __init__(self, agent: AgentInterface) -> None:
        self._agent = agent
        agent.timeout_s = PATIENCE_S
        self._current: Task | None = None

    def serve(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        heed_mailbox(self._agent, self._heed)
        while True:
            answer = self._agent.claim_task(wait=CLAIM_WAIT_S, having=asked_by("shell"))
            if not answer:
                continue
            task = Task(answer, self._agent)
            say_claimed(task)
            with self._agent.renewing(task):
                outcome = self._run(task)
            self._report(task, outcome)
            if outcome["exit_code"] == QUOTA_EXIT_CODE:
                say("quota used up: leaving until the quota delay has passed")
                sys.exit(QUOTA_EXIT_CODE)

    def _run(self, task: Task) -> dict[str, Any]:
        """Runs the task's command; gives `{"exit_code", "lines"}`."""
        environment = {**os.environ, "KORTANA_TASK": task.id, "KORTANA_LEASE": str(task.token)}
        try:
            process = start_apart(
                (*SHELL, task.fields["run"]),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        except (OSError, ValueError) as error:  # no room for a process; a NUL in the command
            return {"exit_code": 126, "lines": [f"cannot run it: {error}"]}
        task.when_lost(lambda: end_session(process, STOP_GRACE_S))
        self._current = task
        lines: deque[str] = deque(maxlen=KEPT_LINES)
        noted = 0.0

        def take(text: str) -> None:
            nonlocal noted
            lines.append(text[:KEPT_CHARS])
            say(text)
            if text and time.monotonic() - noted > NOTE_INTERVAL_S:
                noted = time.monotonic()
                self._agent.note(task.id, text[:NOTE_CHARS])

        follow(process, take)
        self._current = None
        return {"exit_code": process.wait(), "lines": last_of(lines, LINES_BYTES)}

    def _report(self, task: Task, outcome: dict[str, Any]) -> None:
        code = outcome["exit_code"]
        if task.lost:
            say(f"{task.id}: the lease was lost; nothing is reported")
            return
        answer: Answer | None = None
        if code == QUOTA_EXIT_CODE:
            answer = self._agent.release_task(task.id)
        elif code == 0:
            answer = give_back_blocked(self._agent, task)
        if answer is None:
            status = "completed" if code == 0 else "failed"
            answer = self._agent.update_task_status(task.id, status, f"exit code {code}", result=outcome)
            say(f"{task.id} {status} (exit code {code})")
        if not answer:
            say(f"{task.id}: refused: {answer.reason}")

    def _heed(self, event: Event) -> None:
        """Stops work whose lease is gone; tells of everything else."""
        task = self._current
        if is_lease_gone(event) and task is not None and task.id == event.task_id:
            task.lose()
        say_heard(event)

    def _on_stop(self, *_: object) -> None:
        """SIGTERM: ends the task's command, gives the task back, and goes."""
        if self._current is not None:
            self._current.lose()
        sys.exit(0)
