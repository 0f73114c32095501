"""Adapters whose tasks are merged, kill -9 of them, and a person who works in the same checkout at random: real git.

Nobody's work is lost, and each task's is in one branch, once.
"""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.project import AT_ONCE, BOUNDLESS, Project

FAKE = Path(__file__).parents[1] / "e2e" / "fake_cli.py"
LONG = bool(os.environ.get("KORTANA_LONG"))
TASKS = 60 if LONG else 12
FIRST = int(os.environ.get("KORTANA_SEED", "1"))
SEEDS = range(FIRST, FIRST + (12 if LONG else 1))
PATIENCE_S = 600.0
BESIDE = (".lock", "cannot lock ref", "The stash entry is kept", "failed to read .git/worktrees/")
"""What a git of the person's says that meets one of an adapter's, or the lock of one that was killed."""
TRIES = 400
"""At which the person gives it up."""
AGENTS = {"a": "claude", "b": "codex", "c": "gemini"}


class Person:
    """In a repository with a `main` and a `release` that lacks what has come to main since. Each of their doings ends
    on main, with nothing under way and nothing that is not committed."""

    def __init__(self, project: Project, seed: int) -> None:
        self._project, self._random, self._numbers = project, random.Random(seed), itertools.count(1)
        self.written: dict[str, list[str]] = {"main": [], "release": []}
        """Branch → the files that they have committed there."""
        self.unwanted: list[str] = []
        """Commits that they have taken back from main."""
        self.doings: list[Callable[[], None]] = [
            self.commit, self.amend, self.drop, self.stash, self.leave_uncommitted, self.begin_a_merge, self.rebase,
            self.bisect, self.look_at_a_commit, self.work_on_the_release, self.collect_garbage, self.let_tasks_go_on,
            self.kill,
        ]  # fmt: skip
        self.git("init", "-q", "-b", "main")
        (project.folder / ".git" / "info" / "exclude").write_text("/data/\n/kortana.yaml\n")
        self._write("mine.txt", "begin\n", commit="begin")
        self.git("branch", "release")
        self.git("checkout", "-q", "-b", "side")
        self._write("side.txt", "side\n", commit="side")
        self.git("checkout", "-q", "main")
        self._write("newer.txt", "not for the release\n", commit="newer")

    def do_something(self) -> None:
        self._random.choice(self.doings)()
        self._pause(0.3)

    def git(self, *words: str, may_fail: bool = False) -> str:
        for _ in range(TRIES):
            done = subprocess.run(
                ["git", *words], cwd=self._project.folder, env=self._project.env, capture_output=True, text=True
            )
            if not done.returncode or not any(told in done.stderr + done.stdout for told in BESIDE):
                break
            time.sleep(0.05)
        assert may_fail or not done.returncode, (words, done.stderr)
        return done.stdout.strip()

    def commit(self, branch: str = "main") -> None:
        name = f"{branch}-{next(self._numbers)}.txt"
        self._write(name, f"{name}\n", commit=f"mine: {name}")
        self.written[branch].append(name)

    def amend(self) -> None:
        """What tasks may have begun from meanwhile."""
        draft, name = self._draft(), self.written["main"][-1]
        self._write(name, "as it was meant\n")
        self.git("add", name)
        self.git("commit", "-q", "--amend", "--no-edit")
        self._take_back(draft)

    def drop(self) -> None:
        """A commit of theirs, from below whatever has been merged since."""
        draft = self._draft()
        self.git("rebase", "-q", "--rebase-merges", "--onto", f"{draft}~1", draft, may_fail=True)
        self._give_up_rebase()
        if self._take_back(draft):
            self.written["main"].pop()

    def stash(self) -> None:
        self._write("mine.txt", "an edit\n")
        while not self.git("stash", "list"):  # it may fail where a merge comes between, and leave all as it is
            assert (self._project.folder / "mine.txt").read_text() == "an edit\n"
            self.git("stash", may_fail=True)
        self._pause(0.5)
        self.git("checkout", "-q", "mine.txt")  # or it has kept the edit, and could not take it out of the file
        self.git("stash", "pop")
        self.git("checkout", "-q", "mine.txt")

    def leave_uncommitted(self) -> None:
        """What a task is going to change."""
        name = f"src/t{self._random.randrange(TASKS)}.txt"
        path = self._write(name, "the person's\n")
        self._pause(1.0)
        assert path.read_text() == "the person's\n"
        while (self._project.folder / ".git" / "index.lock").exists():
            time.sleep(0.01)  # or they would take away what a merge has just brought, and not yet put into the index
        if self.git("ls-files", name):
            self.git("checkout", "-q", "--", name)
        else:
            path.unlink()

    def begin_a_merge(self) -> None:
        self.git("merge", "--no-commit", "--no-ff", "side", may_fail=True)
        self._pause(0.8)
        while (self._project.folder / ".git" / "MERGE_HEAD").exists():
            self.git("merge", "--abort", may_fail=True)

    def rebase(self) -> None:
        self.git("rebase", "-q", "--rebase-merges", "HEAD~1", may_fail=True)
        self._give_up_rebase()

    def bisect(self) -> None:
        self.git("bisect", "start", "HEAD", "HEAD~2", may_fail=True)
        self._pause(0.6)
        self.git("bisect", "reset", may_fail=True)
        self.git("checkout", "-q", "main")

    def look_at_a_commit(self) -> None:
        self.git("checkout", "-q", "--detach", "HEAD~1")
        self._pause(0.8)
        self.git("checkout", "-q", "main")

    def work_on_the_release(self) -> None:
        self.git("checkout", "-q", "release")
        self._pause(0.5)
        self.commit("release")
        self.let_tasks_go_on()
        self._pause(0.5)
        self.git("checkout", "-q", "main")

    def collect_garbage(self) -> None:
        self.git("gc", "-q", may_fail=True)
        self.git("worktree", "prune")

    def let_tasks_go_on(self) -> None:
        """Those that wait for a person: to be merged where they are now, or to say why not once more."""
        for task in self._project.json("tasks", "list")["tasks"]:
            if task["status"] == "blocked" and not task["owner"]:
                self._project.call("tasks", "release", task["id"], expect=None)

    def kill(self) -> None:
        pid = self._project.worker(self._random.choice(list(AGENTS)))["pid"]
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid or 0x7FFFFFFF, signal.SIGKILL)

    def has(self, commit: str) -> bool:
        return self.git("merge-base", "main", commit) == commit

    def _draft(self) -> str:
        """A commit that stands for a while."""
        self.commit()
        draft = self.git("log", "-1", "--format=%H", "--", self.written["main"][-1])
        self._pause(1.0)
        return draft

    def _take_back(self, commit: str) -> bool:
        if self.has(commit):  # a merge has come between
            return False
        self.unwanted.append(commit)
        return True

    def _give_up_rebase(self) -> None:
        while (self._project.folder / ".git" / "rebase-merge").exists():
            self.git("rebase", "--abort", may_fail=True)

    def _write(self, name: str, text: str, commit: str = "") -> Path:
        path = self._project.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        if commit:
            self.git("add", name)
            self.git("commit", "-qm", commit)
        return path

    def _pause(self, most_s: float) -> None:
        time.sleep(self._random.uniform(0, most_s))


@pytest.fixture
def repository(project: Project) -> Iterator[Project]:
    for who, what in itertools.product(("AUTHOR", "COMMITTER"), ("NAME", "EMAIL")):
        project.env[f"GIT_{who}_{what}"] = "t@t"
    project.env.update(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_SYSTEM=os.devnull, GIT_EDITOR="true")
    environment = {"EDIT_LOG": str(project.folder / "data" / "edits.jsonl"), "EDIT_S": "0.1"}
    workers = {
        name: {"agent": kind, "cli": {"command": [sys.executable, str(FAKE), kind], "worktree": True, "merge": True},
               "env": environment, **AT_ONCE}
        for name, kind in AGENTS.items()
    }  # fmt: skip
    paths = [f"src/t{number}.txt" for number in range(TASKS)]
    tasks = [{"id": f"t{number}", "prompt": f"EDIT {path}", "paths": [path]} for number, path in enumerate(paths)]
    project.write({"workers": workers, "tasks": tasks, "coordinator": {"max_attempts": 1000}, **BOUNDLESS})
    yield project


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_of_anybodys_is_lost(repository: Project, seed: int) -> None:
    person = Person(repository, seed)
    repository.up()
    deadline = time.monotonic() + PATIENCE_S
    while repository.task_counts() != {"completed": TASKS}:
        person.do_something()
        assert time.monotonic() < deadline, repository.json("tasks", "list")
    repository.call("replay", "--verify")
    repository.down()
    _check_tasks(repository, person)
    _check_repository(repository, person)


def _check_tasks(project: Project, person: Person) -> None:
    edits = map(json.loads, (project.folder / "data" / "edits.jsonl").read_text().splitlines())
    attempts = Counter(edit["task"] for edit in edits if edit["what"] == "begin")
    for number in range(TASKS):
        task = f"t{number}"
        texts = {branch: person.git("show", f"{branch}:src/{task}.txt", may_fail=True) for branch in person.written}
        (lines,) = (text.split() for text in texts.values() if text)
        assert set(lines) == {task} and len(lines) <= attempts[task], (task, lines)


def _check_repository(project: Project, person: Person) -> None:
    for branch, names in person.written.items():
        assert set(names) <= set(person.git("ls-tree", "--name-only", branch).split()), branch
    assert not [commit for commit in person.unwanted if person.has(commit)], "brought back"
    assert "newer.txt" not in person.git("ls-tree", "--name-only", "release").split()
    assert person.git("status", "--porcelain") == "" and person.git("branch", "--list", "kortana/*") == ""
    assert not list((project.folder / ".kortana" / "worktrees").iterdir())
    person.git("fsck", "--no-dangling", "--connectivity-only")
