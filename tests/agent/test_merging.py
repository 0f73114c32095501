"""An adapter merges for the holder of the lease alone, and what was merged is not done again."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kortana.agent import cli_agent
from kortana.agent.answers import Answer, Task
from kortana.agent.cli_agent import Settings, _CliAgent
from kortana.agent.delivery import DONE, INTO, MERGING
from kortana.agent.prompt import PROMPT, render, told_of_earlier
from kortana.agent.worktree import Worktree

Update = tuple[str, dict[str, Any]]


class FakeAgent:
    """Remembers what it was told, and answers as `answer` says."""

    name = "me"
    timeout_s = 0.0
    welcome = {"guard": "off"}

    def __init__(self, answer: Callable[[Update], bool], task: dict[str, Any]) -> None:
        self.updates: list[Update] = []
        self.blockers: list[str] = []
        self.released: list[str] = []
        self._answer, self._task = answer, task

    def update_task_status(self, task_id: str, status: str, details: str = "", result: Any = None) -> Answer:
        self.updates.append((status, dict(result)))
        accepted = self._answer(self.updates[-1])
        return Answer({"accepted": accepted, "reason": "" if accepted else "stale_lease"})

    def get_task(self, task_id: str) -> dict[str, Any]:
        return self._task

    def report_blocker(self, task_id: str, reason: str) -> None:
        self.blockers.append(reason)
        self._task = {**self._task, "status": "blocked"}

    def release_task(self, task_id: str) -> None:
        self.released.append(task_id)

    def confirm(self) -> None:
        pass


class Died(Exception):
    pass


@pytest.fixture(autouse=True)
def within(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def attempt(answer: Callable[[Update], bool] = lambda _: True, result: Any = None, attempts: int = 0) -> FakeAgent:
    """One at a task, by a command that adds a line to a file of the task's name."""
    settings = Settings("cli", ("sh", "-c", 'cat > prompt.txt; echo did >> "$KORTANA_TASK"; rm -f prompt.txt'),
                        "text", "stdin", worktree=True, merge=True)  # fmt: skip
    brief = {"id": "t", "title": "", "prompt": "do it", "attempts": attempts}
    agent = FakeAgent(answer, {**brief, "status": "in_progress", "result": result})
    claimed = Answer({"accepted": True, "reason": "", "task": brief, "lease": {"token": 7, "ttl_s": 60.0}})
    made = _CliAgent(agent, settings)  # type: ignore[arg-type]
    try:
        made._work(Task(claimed, agent))  # type: ignore[arg-type]
    except Died:
        pass
    return agent


def work(answer: Callable[[Update], bool], result: Any = None, attempts: int = 0) -> list[Update]:
    return attempt(answer, result, attempts).updates


def test_what_will_be_merged_is_announced_then_merged_then_reported(repository: Path) -> None:
    (first, announced), (last, reported) = work(lambda _: True)
    assert (first, last) == ("in_progress", "completed")
    assert git("merge-base", "--is-ancestor", announced[MERGING], "HEAD") == ""
    assert reported["merged"] and MERGING not in reported
    assert git("show", "HEAD:t") == "did" and git("branch") == "* main"


def test_without_the_lease_nothing_is_merged_and_nothing_is_lost(repository: Path) -> None:
    before = git("rev-parse", "HEAD")
    assert [status for status, _ in work(lambda _: False)] == ["in_progress"]
    assert git("rev-parse", "HEAD") == before and git("show", "kortana/t:t") == "did"


def test_what_was_merged_before_its_attempt_died_is_reported_and_not_done_again(repository: Path) -> None:
    def die_at_the_report(update: Update) -> bool:
        if update[0] == "completed":
            raise Died
        return True

    announced = work(die_at_the_report)[0][1]
    merged = git("rev-parse", "HEAD")
    (status, reported), = work(lambda _: True, announced, attempts=1)
    assert status == "completed" and reported["merged"] and reported["text"] == announced["text"]
    assert git("rev-parse", "HEAD") == merged and git("show", "HEAD:t") == "did" and git("branch") == "* main"


def test_what_was_merged_before_its_attempt_died_is_found_where_the_person_is_not(repository: Path) -> None:
    def die_at_the_report(update: Update) -> bool:
        if update[0] == "completed":
            raise Died
        return True

    git("branch", "release")
    announced = work(die_at_the_report)[0][1]
    assert announced[INTO] == "main"
    git("checkout", "-q", "release")
    (status, reported), = work(lambda _: True, announced, attempts=1)
    assert (status, reported["into"], reported["merged"]) == ("completed", "main", True)
    assert git("log", "--format=%s", "release") == "begin" and git("show", "main:t") == "did"


@pytest.mark.parametrize("into", [5, "", "--help", "no such branch", ["main"]])
def test_where_it_was_to_go_may_be_anything(repository: Path, into: object) -> None:
    updates = work(lambda _: True, {MERGING: "0" * 40, INTO: into}, attempts=1)
    assert updates[-1][0] == "completed" and updates[-1][1]["into"] == "main"


@pytest.mark.parametrize("commit", ["0" * 40, "--help", 5, None, "HEAD"])
def test_what_was_announced_and_not_merged_is_done(repository: Path, commit: object) -> None:
    updates = work(lambda _: True, {"text": "", MERGING: commit}, attempts=1)
    assert [status for status, _ in updates] == ["in_progress", "completed"] and git("show", "HEAD:t") == "did"


def test_what_was_announced_by_an_attempt_that_died_then_is_merged_without_its_agent(repository: Path) -> None:
    def die_at_the_announcement(update: Update) -> bool:
        raise Died

    announced = work(die_at_the_announcement)[0][1]
    updates = work(lambda _: True, announced, attempts=1)
    assert [status for status, _ in updates] == ["in_progress", "completed"] and git("show", "HEAD:t") == "did"


def test_work_that_a_person_is_in_the_way_of_waits_for_them_and_is_not_done_again(repository: Path) -> None:
    Path("t").write_text("the person's\n")
    first = attempt()
    assert [status for status, _ in first.updates] == ["in_progress"] and first.released == ["t"]
    told = "not merged: what is not committed in the checkout is in the way: t; then: kortana tasks release t"
    assert first.blockers == [told] and Path("t").read_text() == "the person's\n"
    Path("t").unlink()
    second = attempt(result=first.updates[0][1])
    assert [status for status, _ in second.updates] == ["in_progress", "completed"] and git("show", "HEAD:t") == "did"
    assert not {MERGING, DONE} & second.updates[-1][1].keys() and git("branch") == "* main"


def test_work_that_git_does_not_take_in_is_not_done_again(repository: Path) -> None:
    git("config", "commit.gpgsign", "true")
    git("config", "gpg.program", "false")
    (status, result), = work(lambda _: True)
    assert status == "failed" and DONE in result
    git("config", "commit.gpgsign", "false")
    updates = work(lambda _: True, result, attempts=1)
    assert [status for status, _ in updates] == ["in_progress", "completed"] and git("show", "HEAD:t") == "did"
    assert not {MERGING, DONE} & updates[-1][1].keys()


def test_work_that_is_gone_is_done_again(repository: Path) -> None:
    git("config", "commit.gpgsign", "true")
    git("config", "gpg.program", "false")
    (_, result), = work(lambda _: True)
    git("config", "commit.gpgsign", "false")
    shutil.rmtree(".kortana")
    updates = work(lambda _: True, result, attempts=1)
    assert updates[-1][1]["changed"] and git("show", "HEAD:t") == "did"


def test_what_an_agent_has_to_mend_is_done_again(repository: Path) -> None:
    work(lambda _: False)
    subprocess.run(["git", "-C", ".kortana/worktrees/t", "init", "-q", "nested"], check=True)
    Path(".kortana/worktrees/t/nested/file").touch()
    (status, result), = work(lambda _: True, {MERGING: git("rev-parse", "kortana/t")}, attempts=1)
    assert status == "failed" and not {MERGING, DONE} & result.keys()
    shutil.rmtree(".kortana/worktrees/t/nested")
    work(lambda _: True, result, attempts=2)
    assert git("show", "HEAD:t") == "did\ndid"


@pytest.mark.parametrize(("told", "code"), [
    ("git version 2.30.2", 78), ("git version 2.38.0", 0), ("git version 2.39.5 (Apple Git-154)", 0), ("git ours", 0),
])  # fmt: skip
def test_a_git_that_is_too_old_is_found_before_any_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: str, code: int
) -> None:
    monkeypatch.setattr(cli_agent, "git", lambda *_: told)
    if code:
        with pytest.raises(SystemExit) as ended:
            cli_agent._refuse_old_git()
        assert ended.value.code == code
        assert "needs git 2.38 or later, and here is 2.30.2: it cannot work here" in capsys.readouterr().out
    else:
        cli_agent._refuse_old_git()


def test_the_next_attempt_is_told_of_the_one_before_and_how_to_make_its_branch_mergeable(repository: Path) -> None:
    task = {"id": "t", "prompt": "x", "attempts": 1, "details": "not merged: a, b", "result": {"merged": False}}
    told = told_of_earlier(task, Worktree(repository, "t"))
    for part in ("not merged: a, b", f"git merge {git('rev-parse', 'HEAD')}", "kortana/t"):
        assert part in told
    assert told in render(PROMPT, task, "me", {}, told)
    assert told_of_earlier({**task, "attempts": 0}, None) == ""
    assert "branch" not in told_of_earlier(task, None)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"text": "did it", "lines": ["x"]}, "did it"), ({"lines": ["a", "b"]}, "a\nb"),
        ({"lines": [1, None]}, "1\nNone"), ({"lines": 5}, "its details"),
        ({"text": 5}, "5"), ({}, "its details"), ("plain", "plain"), ([1], "[1]"),
        (None, "its details"),
    ],
)  # fmt: skip
def test_the_result_of_a_task_before_may_be_anything(result: Any, told: str) -> None:
    worker = _CliAgent(FakeAgent(lambda update: True, {"result": result, "details": "its details"}),  # type: ignore[arg-type]
                       Settings("cli", ("true",)))  # fmt: skip
    lease = {"token": 7, "ttl_s": 60.0}
    claimed = Answer({"accepted": True, "reason": "", "task": {"id": "t", "depends_on": ["u"]}, "lease": lease})
    assert worker._results(Task(claimed, None)) == {"u": told}  # type: ignore[arg-type]


@pytest.mark.parametrize(("tasks", "each"), [(1, 2_000), (12, 2_000), (240, 100)])
def test_what_many_tasks_have_left_still_fits_into_an_argument(tasks: int, each: int) -> None:
    agent = FakeAgent(lambda update: True, {"result": {"text": "x" * 5_000}})
    worker = _CliAgent(agent, Settings("cli", ("true",)))  # type: ignore[arg-type]
    names = [f"t{number}" for number in range(tasks)]
    claimed = Answer({"accepted": True, "reason": "", "task": {"id": "t", "depends_on": names},
                      "lease": {"token": 7, "ttl_s": 60.0}})  # fmt: skip
    found = worker._results(Task(claimed, agent))  # type: ignore[arg-type]
    assert list(found) == names and {len(text) for text in found.values()} == {each}
