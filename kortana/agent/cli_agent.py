"""The adapter for command-line agents: claims a task, runs the CLI headless on its prompt, reports what came of it."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from kortana.agent.answers import Task
from kortana.agent.checkout import Checkout
from kortana.agent.clis import KNOWN, Cli
from kortana.agent.delivery import Delivery, shortened
from kortana.agent.git import (
    MERGES_SINCE,
    GitError,
    UnreadyRepositoryError,
    environment_elsewhere,
    git,
    version_of,
)
from kortana.agent.headless import MAX_TEXT, Ended, HeadlessRun
from kortana.agent.interface import AgentInterface
from kortana.agent.letters import Letters
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
from kortana.agent.plain import last_of, plain
from kortana.agent.prompt import PROMPT, render, told_of_earlier
from kortana.agent.worktree import Worktree
from kortana.processes.posix import become_subreaper
from kortana.protocol.event import Event

SETTINGS_VARIABLE = "KORTANA_ADAPTER"
CLAIM_WAIT_S = 600.0
UNFIT_EXIT_CODE = 78
"""EX_CONFIG: a person has to install it, or to log in; meanwhile others can do the tasks."""
LEAVING = {
    QUOTA_EXIT_CODE: "quota used up: leaving until the quota delay has passed",
    UNFIT_EXIT_CODE: "it cannot work here: leaving its tasks to others",
}
CEILINGS = "GIT_CEILING_DIRECTORIES"
REPORT_INTERVAL_S = 2.0
MAX_RESULT, MAX_RESULTS = 2_000, 24_000
"""Characters of what a task that came before has left, and of all that there are: an argument holds 128 KiB."""
TEXT_BYTES, LINES_BYTES = 24 * 1024, 12 * 1024
"""What of a result is kept, as JSON: all of it has to fit into one event."""


class Settings(msgspec.Struct, frozen=True):
    """What kortana.yaml says of this adapter; crosses as JSON in the environment."""

    agent: str
    command: tuple[str, ...] | None = None
    stream: str | None = None
    prompt: str | None = None
    template: str | None = None
    """A file with the prompt's template ($id $title $prompt $paths $dependencies $earlier $messages $agent)."""
    worktree: bool = False
    merge: bool = False
    stall_timeout: float = 900.0
    """Seconds without a word from the CLI after which it is ended; 0: never."""

    def cli(self) -> Cli:
        known = KNOWN.get(self.agent) or Cli(())
        changed = {"command": self.command, "stream": self.stream, "prompt": self.prompt}
        return msgspec.structs.replace(known, **{name: value for name, value in changed.items() if value})


def run(agent: AgentInterface) -> None:
    """The adapter's whole life."""
    settings = msgspec.json.decode(os.environ[SETTINGS_VARIABLE], type=Settings)
    become_subreaper()
    if settings.worktree:
        _mend_checkout()
    if settings.merge:
        _refuse_old_git()
    _CliAgent(agent, settings).serve()


def _mend_checkout() -> None:
    """What a predecessor that died in the midst of a merge has left, also where no task follows."""
    with contextlib.suppress(GitError), Checkout(Path.cwd()).changing(""):
        pass


def _refuse_old_git() -> None:
    """Before any agent has worked for nothing."""
    try:
        found = version_of(git(Path.cwd(), "--version"))
    except GitError:
        return  # as each task will tell
    if found and found < MERGES_SINCE:
        needed, there = (".".join(map(str, version)) for version in (MERGES_SINCE, found))
        say(f"merge: true needs git {needed} or later, and here is {there}: {LEAVING[UNFIT_EXIT_CODE]}")
        sys.exit(UNFIT_EXIT_CODE)


class _CliAgent:
    def __init__(self, agent: AgentInterface, settings: Settings) -> None:
        self._agent, self._settings, self._cli = agent, settings, settings.cli()
        agent.timeout_s = PATIENCE_S
        self._template = Path(settings.template).read_text(encoding="utf-8") if settings.template else PROMPT
        self._task: Task | None = None
        self._letters = Letters()

    def serve(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        heed_mailbox(self._agent, self._heed, lambda: not self._letters)
        while True:
            answer = self._agent.claim_task(wait=CLAIM_WAIT_S)
            if not answer:
                continue
            task = self._task = Task(answer, self._agent)
            say_claimed(task)
            with self._agent.renewing(task):
                leaving = self._work(task)
            self._task = None
            if leaving:
                say(LEAVING[leaving])
                sys.exit(leaving)

    def _work(self, task: Task) -> int:
        """One task from its prompt to its report; the exit code with which this agent leaves, 0 where it stays."""
        began = time.monotonic()
        try:
            tree = Worktree(Path.cwd(), task.id) if self._settings.worktree else None
            if tree is not None and tree.remark:
                say(f"{task.id}: the repository's post-checkout hook has failed: {tree.remark}")
            delivery = Delivery(self._agent, task, tree, self._settings.merge)
            before = self._agent.get_task(task.id) or {}
            if delivery.go_on(before.get("result")):
                return 0
            earlier = told_of_earlier(before, tree)
        except UnreadyRepositoryError as error:
            return self._give_back(task, str(error), UNFIT_EXIT_CODE)
        except (GitError, OSError) as error:
            Delivery(self._agent, task, None, merge=False).fail(error)
            return 0
        results, messages = self._results(task), self._letters.told()
        prompt = render(self._template, task.fields, self._agent.name, results, earlier, messages)
        ended = self._run(task, prompt, tree)
        if task.lost:
            say(f"{task.id}: the lease was lost; nothing is reported")
            return 0
        outcome = ended.outcome
        result: dict[str, Any] = {
            "exit_code": ended.code, "text": plain(outcome.text[-MAX_TEXT:], TEXT_BYTES),
            "duration_s": round(time.monotonic() - began, 1), "cost_usd": outcome.cost_usd, "tokens": outcome.tokens,
        }  # fmt: skip
        if outcome.denied:
            result["denied"] = outcome.denied[:20]
        if tree is not None:
            result["branch"] = tree.branch
        if not ended.failed and give_back_blocked(self._agent, task) is not None:
            return 0
        if ended.failed and (ended.unfit or ended.is_quota_spent):
            return self._give_back(task, ended.why, UNFIT_EXIT_CODE if ended.unfit else QUOTA_EXIT_CODE)
        self._letters.forget()
        if not self._letters:
            self._agent.confirm()
        if ended.failed:
            result["lines"] = last_of(ended.lines, LINES_BYTES)
            delivery.fail(ended.why, result)
        else:
            delivery.complete(result)
        return 0

    def _give_back(self, task: Task, why: str, leaving: int) -> int:
        say(f"{task.id} is given back: {why}")
        self._agent.release_task(task.id)
        return leaving

    def _results(self, task: Task) -> dict[str, Any]:
        found = {}
        names = task.fields.get("depends_on") or ()
        most = min(MAX_RESULT, MAX_RESULTS // max(len(names), 1))
        for name in names:
            other = self._agent.get_task(name) or {}
            found[name] = str(_text_of(other.get("result")) or other.get("details") or "done")[:most]
        return found

    def _run(self, task: Task, prompt: str, tree: Worktree | None) -> Ended:
        reported = 0.0

        def note(doing: str) -> None:
            nonlocal reported
            if time.monotonic() - reported > REPORT_INTERVAL_S:
                reported = time.monotonic()
                self._agent.note(task.id, shortened(doing[:300]))

        variables = {**environment_elsewhere(), "KORTANA_TASK": task.id, "KORTANA_LEASE": str(task.token)}
        variables.pop(SETTINGS_VARIABLE, None)
        if tree is not None:
            variables["KORTANA_DELIVERY"] = task.id
            # who takes away the worktree's `.git` has no repository then, rather than the person's
            variables[CEILINGS] = os.pathsep.join(filter(None, (str(tree.ceiling), variables.get(CEILINGS))))
        run = HeadlessRun(self._cli, self._settings.stall_timeout, note)
        return run.carry_out(prompt, tree.place if tree else Path.cwd(), variables, task.when_lost)

    def _heed(self, event: Event) -> None:
        """Stops work whose lease is gone; tells of everything else."""
        task = self._task
        if is_lease_gone(event) and task is not None and task.id == event.task_id:
            task.lose()
        self._letters.take(event)
        say_heard(event)

    def _on_stop(self, *_: object) -> None:
        if self._task is not None:
            self._task.lose()
        sys.exit(0)


def _text_of(result: Any) -> Any:
    """What a result says: that of an adapter its text, or its last lines; others may have written anything."""
    if not isinstance(result, dict):
        return result
    lines = result.get("lines")
    return result.get("text") or (isinstance(lines, list) and "\n".join(map(str, lines)))
