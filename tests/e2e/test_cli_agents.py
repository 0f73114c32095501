"""Adapters of command-line agents against a CLI that behaves as the real ones do."""

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kortana.agent.clis import KNOWN, READERS, Outcome
from tests.agent.streams import read_line
from tests.e2e.project import AT_ONCE, KORTANA, Project, eventually

FAKE = Path(__file__).with_name("fake_cli.py")
KINDS = sorted(KNOWN)


def worker(kind: str, **more: Any) -> dict[str, Any]:
    cli = {"command": [sys.executable, str(FAKE), kind], **more.pop("cli", {})}
    return {"agent": kind, "cli": cli, "backoff": {"initial": "0s", "max": "0s"}, **more}


def settled(project: Project, *names: str) -> dict[str, dict[str, Any]]:
    def found() -> dict[str, dict[str, Any]] | None:
        tasks = {task["id"]: task for task in project.json("tasks", "list")["tasks"]}
        done = all(tasks[name]["status"] in ("completed", "failed") for name in names)
        return tasks if done else None

    return eventually(found, "the tasks are settled")


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_is_done_and_its_result_kept(project: Project, kind: str) -> None:
    tasks = [
        {"id": "one", "title": "First", "prompt": "Say it."},
        {"id": "two", "prompt": "x", "depends_on": ["one"]},
        {"id": "bad", "prompt": "FAIL", "max_attempts": 1},
        {"id": "odd", "prompt": "CRASH", "max_attempts": 1},
        {"id": "long", "prompt": "LONG"},
        {"id": "odder", "prompt": "EMOJI", "max_attempts": 1},
    ]
    project.write({"workers": {"w": worker(kind)}, "tasks": tasks})
    project.up()
    found = settled(project, "one", "two", "bad", "odd", "long", "odder")
    result = found["one"]["result"]
    assert found["one"]["status"] == found["two"]["status"] == "completed"
    assert "All done." in result["text"] and result["exit_code"] == 0 and result["tokens"] == 120
    assert result["cost_usd"] == (0.25 if kind in ("claude", "opencode") else None)
    assert found["bad"]["status"] == "failed" and "tests do not pass" in json.dumps(found["bad"])
    assert found["odd"]["result"]["exit_code"] == 3
    assert found["odder"]["result"]["lines"] and "\N{GRINNING FACE}" in found["odder"]["details"]
    assert found["long"]["result"]["text"].endswith("xx All done."), "a line of 3 MB is one event of the stream"
    project.down()
    assert project.all_gone()


def test_a_blocker_that_the_cli_reports_is_neither_undone_nor_taken_for_success(project: Project) -> None:
    project.write({"workers": {"w": worker("claude")}, "tasks": [{"id": "b", "prompt": "BLOCK"}]})
    project.up()
    eventually(lambda: "giving it back" in project.log("w"))
    eventually(lambda: project.task("b")["owner"] is None)
    task = project.task("b")
    assert task["status"] == "blocked" and task["blocker"]["reason"] == "an answer is missing"
    assert not [r for r in project.journal() if r["payload"].get("instruction") == "unblocked"]


def test_what_a_cli_leaves_behind_ends_its_task_no_later(project: Project) -> None:
    command = ["sh", "-c", "echo done; setsid sleep 1000 & exit 0"]
    team = {"w": {"agent": "cli", "cli": {"command": command}}}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "x"}]})
    up = project.start_foreground("--exit-when-done")
    assert up.wait(60) == 0 and project.all_gone()


@pytest.mark.parametrize(("kind", "prompt"), [("claude", "QUOTA"), ("claude", "LIMIT"), ("opencode", "LIMIT HANG")])
def test_a_used_up_quota_parks_the_worker_and_costs_the_task_nothing(
    project: Project, kind: str, prompt: str
) -> None:
    team = {"w": worker(kind, quota_delay="1h", cli={"stall_timeout": "3s"})}
    project.write({"workers": team, "tasks": [{"id": "q", "prompt": prompt}]})
    project.call("up", "-d", expect=None)
    eventually(lambda: project.worker("w")["state"] == "parked", "it is parked")
    task = project.task("q")
    assert task["status"] == "pending" and task["attempts"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_that_a_cli_gets_over_fails_nothing(project: Project, kind: str) -> None:
    project.write({"workers": {"w": worker(kind)}, "tasks": [{"id": "t", "prompt": "HICCUP", "max_attempts": 1}]})
    project.up()
    assert settled(project, "t")["t"]["status"] == "completed"


def test_a_cli_is_told_the_folder_of_its_task_in_every_way(project: Project) -> None:
    """opencode works in $PWD, wherever it was started."""
    repository(project)
    command = ["sh", "-c", 'cd "$(env | sed -n s/^PWD=//p)" && touch made']
    team = {"w": {"agent": "cli", "cli": {"command": command, "worktree": True, "merge": True}}}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "x"}]})
    project.env["PWD"] = "/"
    project.up()
    task = settled(project, "t")["t"]
    assert task["result"]["merged"] is True and (project.folder / "made").exists()


def test_a_cli_finds_what_it_needs_without_a_person_in_its_environment(project: Project) -> None:
    command = ["sh", "-c", 'echo "trusted: $GEMINI_CLI_TRUST_WORKSPACE"']
    cli = {"command": command, "stream": "text"}
    team = {"w": {"agent": "gemini", "cli": cli, "capabilities": ["w"]},
            "v": {"agent": "gemini", "cli": cli, "capabilities": ["v"], "env": {"GEMINI_CLI_TRUST_WORKSPACE": "no"}}}
    project.write({"workers": team, "tasks": [{"id": n, "prompt": "x", "requires": [n]} for n in "wv"]})
    project.up()
    found = settled(project, "w", "v")
    assert [found[name]["result"]["text"].strip() for name in "wv"] == ["trusted: true", "trusted: no"]


def test_a_stalled_cli_is_ended_with_all_that_it_started(project: Project) -> None:
    project.write(
        {"workers": {"w": worker("codex", cli={"stall_timeout": "700ms"})},
         "tasks": [{"id": "h", "prompt": "ORPHAN HANG", "max_attempts": 1}, {"id": "o", "prompt": "ORPHAN"}]}
    )  # fmt: skip
    project.up()
    tasks = settled(project, "h", "o")
    assert "stalled" in json.dumps(tasks["h"]) and tasks["o"]["status"] == "completed"
    eventually(lambda: not any("sleep 2999" in line for line in project.processes().values()), "no grandchild is left")
    assert project.worker("w")["restarts"] == 0


def test_a_missing_cli_is_named_with_its_install_command(project: Project) -> None:
    project.env["PATH"] = "/usr/bin:/bin"
    team = {"w": {"agent": "codex", "capabilities": ["w"], **AT_ONCE, "intensity": 2, "period": "60s"}}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "x", "max_attempts": 1}]})
    assert "npm install -g @openai/codex" in project.call("config", "check").stderr
    assert "npm install -g @openai/codex" in project.call("doctor", expect=1).stdout
    project.call("up", "-d", expect=None)
    eventually(lambda: project.worker("w")["state"] == "failed", "it gives up")
    assert "cannot run codex: No such file or directory; install it: npm install -g @openai/codex" in project.log("w")
    record = project.worker("w")["last_exit"]["crash_id"]
    eventually(lambda: (project.folder / "data" / "crashes" / f"{record}.json").exists(), "nothing waits for a record")
    assert "leaving its tasks to others" in project.call("crashes", "show", record).stdout
    task = project.task("t")
    assert (task["status"], task["attempts"]) == ("pending", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_of_an_agent_that_nobody_has_logged_in_are_left_to_others(project: Project, kind: str) -> None:
    spare = {"agent": "cli", "cli": {"command": ["true"]}, "start_after": {"w": "exited"}}
    team = {"w": worker(kind, restart="temporary"), "spare": spare}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "LOCKED", "max_attempts": 1}]})
    project.call("up", "-d", expect=None)
    assert settled(project, "t")["t"]["status"] == "completed"
    assert project.worker("w")["last_exit"]["code"] == 78
    assert "t is given back: " in project.log("w") and "it cannot work here" in project.log("w")


def test_doctor_looks_at_git_where_tasks_have_worktrees(project: Project) -> None:
    project.write({"workers": {"w": worker("codex", cli={"worktree": True, "merge": True})}})
    assert "FAIL  git: w: git rev-parse" in project.call("doctor", expect=1).stdout
    repository(project)
    assert "ok    git: 2." in project.call("doctor").stdout
    project.env.update(GIT_COMMITTER_EMAIL="", GIT_COMMITTER_NAME="")
    assert "FAIL  git: w: git var" in project.call("doctor", expect=1).stdout


def repository(project: Project) -> None:
    project.env.update(GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@t", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@t")
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "begin"]):
        subprocess.run(["git", *words], cwd=project.folder, env=project.env, check=True)
    (project.folder / ".git" / "info" / "exclude").write_text("data/\nkortana.yaml\n*.jsonl\n")


def git(project: Project, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=project.folder, env=project.env, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize("kill", [False, True], ids=["undisturbed", "one killed half-way"])
def test_two_adapters_and_an_mcp_client_share_thirty_tasks(project: Project, kill: bool) -> None:
    repository(project)
    log = project.folder / "edits.jsonl"
    env = {"EDIT_LOG": str(log), "EDIT_S": "0.05"}
    tasks = [{"id": f"t{n}", "prompt": f"EDIT src/f{n % 5}.txt", "paths": [f"src/f{n % 5}.txt"]} for n in range(30)]
    project.write(
        {"workers": {"claude": worker("claude", env=env, cli={"worktree": True, "merge": True}),
                     "codex": worker("codex", env=env, cli={"worktree": True, "merge": True})},
         "tasks": tasks, "coordinator": {"max_attempts": 10}}
    )  # fmt: skip
    project.up()
    mcp = subprocess.Popen(
        [sys.executable, "-c", MCP_CLIENT, str(log)], cwd=project.folder, env=project.env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if kill:
        eventually(lambda: project.task_counts().get("completed", 0) >= 10, "half-way")
        os.kill(project.worker("claude")["pid"], 9)
    eventually(lambda: project.task_counts() == {"completed": 30}, "all are completed", 150)
    said, _ = mcp.communicate(timeout=60)
    assert mcp.returncode == 0, said
    owners = {r["target"] for r in project.journal() if r["event_type"] == "ACK" and "lease" in r["payload"]}
    assert {"claude", "codex", "desk"} <= owners
    project.down()
    open_at: dict[str, str] = {}
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry["what"] == "begin":
            before = open_at.get(entry["path"])
            assert before in (None, entry["task"]) or kill, f"{entry['path']}: {entry['task']} while {before}"
            open_at[entry["path"]] = entry["task"]
        else:
            open_at.pop(entry["path"], None)
    files = {path.name: path.read_text().split() for path in (project.folder / "src").iterdir()}
    merged = [task for lines in files.values() for task in lines]
    assert sorted(set(merged)) == sorted(task["id"] for task in tasks), "every task's edit is in the history"
    if not kill:
        assert len(merged) == 30, "each once"
    assert not project.audit().violations
    project.call("replay", "--verify")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project.folder, capture_output=True, text=True)
    assert status.stdout == ""


def test_an_adapter_that_dies_right_after_its_merge_has_merged_once(project: Project) -> None:
    repository(project)
    hook = project.folder / ".git" / "hooks" / "post-merge"
    hook.write_text("#!/bin/sh\n[ -e .git/died ] || { : > .git/died; kill -9 $(ps -o ppid= -p $PPID); }\n")
    hook.chmod(0o755)
    env = {"EDIT_LOG": str(project.folder / "edits.jsonl")}
    project.write({"workers": {"w": worker("claude", env=env, cli={"worktree": True, "merge": True})},
                   "tasks": [{"id": "t", "prompt": "EDIT src/f.txt"}]})  # fmt: skip
    project.up()
    task = settled(project, "t")["t"]
    assert project.worker("w")["restarts"] == 1 and (project.folder / ".git" / "died").exists()
    assert (task["status"], task["attempts"], task["result"]["merged"]) == ("completed", 1, True)
    assert (project.folder / "src" / "f.txt").read_text() == "t\n"
    begun = (project.folder / "edits.jsonl").read_text().count('"begin"')
    assert begun == 1, "its work was not done again"
    words = ["git", "log", "--merges", "--format=%s"]
    assert subprocess.run(words, cwd=project.folder, capture_output=True, text=True).stdout.count("\n") == 1


def test_an_agent_that_says_itself_that_its_task_is_done_is_sent_to_its_adapter(project: Project) -> None:
    """Which has yet to take in what was changed, and could not any more."""
    repository(project)
    env = {"EDIT_LOG": str(project.folder / "edits.jsonl")}
    tree = {"worktree": True, "merge": True}
    team = {"w": worker("claude", env=env, cli=tree, capabilities=["w"]), "v": worker("claude", capabilities=["v"])}
    tasks = [{"id": "t", "prompt": "EDIT t.txt COMPLETE", "requires": ["w"]},
             {"id": "u", "prompt": "COMPLETE", "requires": ["v"]}]  # fmt: skip
    project.write({"workers": team, "tasks": tasks})
    project.up()
    found = settled(project, "t", "u")
    assert found["t"]["result"]["merged"] is True and (project.folder / "t.txt").read_text() == "t\n"
    assert "I said so: 4: kortana agent: t is completed by the adapter that runs you" in project.log("w")
    assert "I said so: 0:" in project.log("v"), "with nothing to take in it may be"


def test_what_a_person_drops_while_an_agent_is_at_work_does_not_come_back(project: Project) -> None:
    repository(project)
    (project.folder / "secret.txt").write_text("a key\n")
    git(project, "add", "secret.txt")
    git(project, "commit", "-qm", "oh no")
    command = ["sh", "-c", f"until [ -e {project.folder}/data/go ]; do sleep 0.1; done; echo done > made"]
    team = {"w": {"agent": "cli", "cli": {"command": command, "worktree": True, "merge": True}}}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "x"}]})
    project.up()
    eventually(lambda: (project.folder / ".kortana" / "worktrees" / "t" / "secret.txt").exists())
    git(project, "reset", "-q", "--hard", "HEAD^")
    (project.folder / "data" / "go").touch()
    assert settled(project, "t")["t"]["result"]["merged"] is True and (project.folder / "made").exists()
    assert "oh no" not in git(project, "log", "--format=%s") and not (project.folder / "secret.txt").exists()


def test_what_a_person_is_in_the_way_of_is_merged_once_they_are_not_and_done_once(project: Project) -> None:
    repository(project)
    env = {"EDIT_LOG": str(project.folder / "edits.jsonl")}
    project.write({"workers": {"w": worker("claude", env=env, cli={"worktree": True, "merge": True})}, "tasks": [
        {"id": "t", "prompt": "EDIT mine.txt"}, {"id": "other", "prompt": "EDIT theirs.txt"}]})  # fmt: skip
    (project.folder / "mine.txt").write_text("not committed\n")
    project.up()
    eventually(lambda: project.task("t")["status"] == "blocked" and project.task("t")["owner"] is None)
    assert settled(project, "other")["other"]["result"]["merged"] is True
    assert "in the way: mine.txt; then: kortana tasks release t" in project.call("why", "t").stdout
    (project.folder / "mine.txt").unlink()
    project.call("tasks", "release", "t")
    task = settled(project, "t")["t"]
    assert (task["status"], task["attempts"], task["result"]["merged"]) == ("completed", 0, True)
    assert (project.folder / "mine.txt").read_text() == "t\n"
    assert (project.folder / "edits.jsonl").read_text().count('"begin"') == 2
    project.call("replay", "--verify")


def test_an_agent_that_takes_away_its_worktrees_git_changes_nothing_of_the_persons(project: Project) -> None:
    repository(project)
    (project.folder / "mine.txt").write_text("not committed\n")
    command = ["sh", "-c", "rm .git; echo x > made; git add --all; git commit -qm all; git rev-parse --show-toplevel"]
    team = {"w": {"agent": "cli", "cli": {"command": command, "worktree": True, "merge": True}}}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "x", "max_attempts": 1}]})
    project.up()
    eventually(lambda: "t failed" in project.log("w"))
    assert "not a git repository" in project.log("w")
    assert git(project, "log", "--format=%s") == "begin" and git(project, "status", "--porcelain") == "?? mine.txt"


@pytest.mark.timeout(1200)
def test_adapters_that_are_killed_again_and_again_merge_every_edit(project: Project) -> None:
    """Wherever in git they die. KORTANA_SEED repeats the choice of victims and moments."""
    repository(project)
    count = 200 if os.environ.get("KORTANA_LONG") else 30
    env = {"EDIT_LOG": str(project.folder / "edits.jsonl"), "EDIT_S": "0.02"}
    tasks = [{"id": f"t{n}", "prompt": f"EDIT src/f{n % 5}.txt", "paths": [f"src/f{n % 5}.txt"]} for n in range(count)]
    crowd = {name: worker("claude", env=env, intensity=1000, period="1s", cli={"worktree": True, "merge": True})
             for name in ("a", "b", "c")}  # fmt: skip
    project.write({"workers": crowd, "tasks": tasks, "coordinator": {"max_attempts": 1000},
                   "supervisor": {"intensity": 10_000, "period": "1s"}})  # fmt: skip
    project.up()
    draw, kills = random.Random(int(os.environ.get("KORTANA_SEED", "1"))), 0
    deadline = time.monotonic() + 1000
    while project.task_counts() != {"completed": count}:
        assert time.monotonic() < deadline, project.task_counts()
        time.sleep(draw.uniform(0.0, 0.3))
        pid = project.worker(draw.choice("abc"))["pid"]
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
                kills += 1
    print(f"{kills} kills")
    project.down()
    merged = [task for path in (project.folder / "src").iterdir() for task in path.read_text().split()]
    assert sorted(set(merged)) == sorted(task["id"] for task in tasks)
    words = ["git", "status", "--porcelain"]
    assert subprocess.run(words, cwd=project.folder, capture_output=True, text=True).stdout == ""
    assert not list((project.folder / ".git").glob("index.lock"))


MCP_CLIENT = """
import json, os, subprocess, sys, time
p = subprocess.Popen([sys.executable, "-m", "kortana", "mcp", "--as", "desk"], stdin=subprocess.PIPE,
                     stdout=subprocess.PIPE, text=True)
number = 0
def ask(method, **params):
    global number
    number += 1
    p.stdin.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\\n")
    p.stdin.flush()
    return json.loads(p.stdout.readline())["result"]
ask("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={"name": "x", "version": "1"})
def tool(name, **args):
    result = ask("tools/call", name=name, arguments=args)
    return None if result["isError"] else result["structuredContent"]
def note(**entry):
    with open(sys.argv[1], "a") as out:
        out.write(json.dumps({**entry, "at": time.monotonic()}) + "\\n")
def git(*words):
    # again where an adapter's git is at work, or was killed there: its successor mends that
    for _ in range(1200):
        if subprocess.run(["git", *words]).returncode == 0:
            return
        time.sleep(0.05)
    sys.exit(1)
while True:
    found = tool("claim_task", wait_s=1)
    if found is None:
        if all(t["status"] == "completed" for t in tool("list_tasks")["tasks"]):
            break
        continue
    task = found["task"]
    path = task["paths"][0]
    note(task=task["id"], path=path, what="begin")
    os.makedirs("src", exist_ok=True)
    with open(path, "a") as out:
        out.write(task["id"] + "\\n")
    git("add", path)
    git("commit", "-q", "-m", task["id"])
    note(task=task["id"], path=path, what="end")
    tool("update_task_status", task_id=task["id"], status="completed")
p.stdin.close()
p.wait()
"""


@pytest.mark.parametrize("kind", KINDS)
def test_each_stream_is_read_as_its_cli_writes_it(kind: str) -> None:
    done = subprocess.run([sys.executable, str(FAKE), kind, "x"], capture_output=True, text=True, check=True)
    outcome = Outcome()
    for line in done.stdout.splitlines():
        read_line(kind, line, outcome)
    assert "All done." in outcome.text and outcome.steps >= 2 and not outcome.error
    for noise in ("{", "[]", "{}", '{"type": 5}', '{"type":"assistant","message":7}', '{"type":"result","usage":[]}'):
        for stream in READERS:
            read_line(stream, noise, Outcome())


@pytest.mark.parametrize(("prepare", "told"), [
    ("git init -q", "no commit yet"),
    ("git init -q; git -c user.name=n -c user.email=e commit -q --allow-empty -m i; git branch kortana", "kortana"),
    ("true", "not a git repository"),
])  # fmt: skip
def test_where_no_task_can_have_a_worktree_none_is_failed(
    project: Project, prepare: str, told: str
) -> None:
    subprocess.run(["sh", "-c", prepare], cwd=project.folder, check=True)
    team = {"w": {"agent": "cli", "restart": "temporary", "cli": {"command": ["true"], "worktree": True}}}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "x", "max_attempts": 1}]})
    project.call("up", "-d", expect=None)
    eventually(lambda: project.worker("w")["state"] == "failed")
    assert "t is given back: " in project.log("w") and told in project.log("w")
    task = project.task("t")
    assert (task["status"], task["attempts"], project.worker("w")["last_exit"]["code"]) == ("pending", 0, 78)


def test_a_nul_in_a_task_fails_the_task_and_not_the_worker(project: Project) -> None:
    team = {
        "s": {"agent": "shell", "capabilities": ["s"]},
        "c": {"agent": "cli", "capabilities": ["c"], "cli": {"command": ["echo"], "prompt": "argument"}},
    }
    project.write({"workers": team})
    project.up()
    lines = [{"id": "run", "run": "echo a\0b", "requires": ["s"], "max_attempts": 1},
             {"id": "prompt", "prompt": "a\0b", "requires": ["c"], "max_attempts": 1}]  # fmt: skip
    project.call("tasks", "import", "-", input="".join(json.dumps(line) + "\n" for line in lines))
    found = settled(project, "run", "prompt")
    assert "null byte" in json.dumps(found["run"]["result"]) and "null byte" in found["prompt"]["details"]
    assert [project.worker(name)["restarts"] for name in team] == [0, 0]


@pytest.mark.parametrize("guard", ["enforce", "warn", "off"])
@pytest.mark.parametrize("below", [".", "sub"], ids=["the repository's root", "a project below it"])
def test_what_its_task_does_not_cover_is_merged_as_guard_says(project: Project, guard: str, below: str) -> None:
    repository(project)
    project.folder = project.folder / below
    project.folder.mkdir(exist_ok=True)
    other = {"command": [KORTANA, "agent", "run", "theirs", "--", "sleep", "1000"], "capabilities": ["other"]}
    env = {"EDIT_LOG": str(project.folder / "edits.jsonl")}
    team = {"w": worker("codex", capabilities=["w"], env=env, cli={"worktree": True, "merge": True}), "other": other}
    project.write({"guard": guard, "workers": team, "tasks": [
        {"id": "theirs", "paths": ["docs/*"], "requires": ["other"]}]})  # fmt: skip
    project.up()
    eventually(lambda: project.task("theirs")["owner"] == "other")
    for name, edits in {"good": "EDIT src/a.txt EDIT src/b/c.txt", "bad": "EDIT src/d.txt EDIT docs/e.txt"}.items():
        line = {"id": name, "prompt": edits, "paths": ["src/**"], "requires": ["w"], "max_attempts": 1}
        project.call("tasks", "import", "-", input=json.dumps(line))
    found = settled(project, "good", "bad")
    assert found["good"]["result"]["merged"] and (project.folder / "src" / "b" / "c.txt").exists()
    is_kept = guard != "enforce"
    assert (project.folder / "docs" / "e.txt").exists() is (project.folder / "src" / "d.txt").exists() is is_kept
    assert (found["bad"]["status"] == "completed") is is_kept
    told = "docs/e.txt is held by other (task theirs)"
    assert is_kept or f"what it has changed is refused: {told}" in found["bad"]["details"]
    assert (told in project.log("w")) is (guard != "off")
    words = ["git", "rev-parse", "--verify", "--quiet", "kortana/bad"]
    assert (subprocess.run(words, cwd=project.folder, stdout=subprocess.DEVNULL).returncode == 0) is not is_kept


def test_what_is_sent_to_an_agent_is_in_its_next_prompt_also_after_its_worker_has_died(project: Project) -> None:
    team = {"w": {"agent": "cli", "cli": {"command": ["cat"]}, **AT_ONCE}}
    project.write({"workers": team})
    project.up()
    project.call("agent", "send", "w", "Mind the docs.", "--as", "flash")
    eventually(lambda: "heard INFO from flash" in project.log("w"))
    os.kill(project.worker("w")["pid"], 9)
    eventually(lambda: project.log("w").count("heard INFO from flash") == 2, "it comes again")
    for name in ("one", "two"):
        project.call("tasks", "add", name, "--prompt", "x")
        settled(project, name)
    texts = [project.task(name)["result"]["text"] for name in ("one", "two")]
    assert "Messages for you:\n- from flash: Mind the docs.\n" in texts[0] and "Messages" not in texts[1]
    project.call("restart", "w")
    assert project.call("agent", "inbox", "--as", "w", expect=None).returncode == 4, "nobody else is that worker"
    project.call("tasks", "add", "three", "--prompt", "x")
    assert "Messages" not in settled(project, "three")["three"]["result"]["text"], "it was confirmed"


def test_a_message_waits_until_an_agent_whose_quota_is_used_up_has_read_it(project: Project) -> None:
    script = "if [ -e back ]; then cat; else cat > /dev/null; exit 75; fi"
    team = {"w": {"agent": "cli", "cli": {"command": ["sh", "-c", script]}, "quota_delay": "1h"}}
    project.write({"workers": team})
    project.up()
    project.call("agent", "send", "w", "Mind the docs.", "--as", "flash")
    eventually(lambda: "heard INFO from flash" in project.log("w"))
    project.call("tasks", "add", "t", "--prompt", "x")
    eventually(lambda: project.worker("w")["state"] == "parked")
    (project.folder / "back").touch()
    project.call("restart", "w")
    assert "Mind the docs." in settled(project, "t")["t"]["result"]["text"]


def test_what_is_sent_to_an_agent_at_work_can_be_read_by_it(project: Project) -> None:
    script = f"touch begun; until [ -e sent ]; do sleep 0.05; done; {KORTANA} agent inbox"
    team = {"w": {"agent": "cli", "cli": {"command": ["sh", "-c", script]}}}
    project.write({"workers": team, "tasks": [{"id": "t", "prompt": "x"}]})
    project.up()
    eventually((project.folder / "begun").exists)
    project.call("agent", "send", "w", "Mind the docs.", "--as", "flash")
    eventually(lambda: "heard INFO from flash" in project.log("w"))
    (project.folder / "sent").touch()
    assert "Mind the docs." in settled(project, "t")["t"]["result"]["text"]
