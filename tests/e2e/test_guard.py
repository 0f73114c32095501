"""Guarded edits, and commands under a lease."""

import json
import subprocess
import sys

import pytest

from tests.e2e.project import KORTANA, Project, eventually


@pytest.fixture
def up(project: Project) -> Project:
    tasks = [{"id": "mine", "paths": ["src/**", "README.md"]}, {"id": "theirs", "paths": ["docs/*.md"]}, {"id": "free"}]
    project.write({"guard": "enforce", "workers": {"i": {"command": ["sleep", "1000"]}}, "tasks": tasks})
    project.up()
    project.call("agent", "claim", "mine", "--as", "me")
    project.call("agent", "claim", "theirs", "--as", "you")
    return project


def hook(project: Project, path: str, expect: int, name: str = "me") -> str:
    call = {"tool_name": "Edit", "tool_input": {"file_path": path}, "cwd": str(project.folder)}
    return project.call("guard", "hook", "--as", name, expect=expect, input=json.dumps(call)).stderr


def test_an_edit_without_a_lease_is_refused_and_names_who_holds_it(up: Project) -> None:
    hook(up, "src/deep/file.py", 0)
    hook(up, str(up.folder / "README.md"), 0)
    assert "held by you (task theirs)" in hook(up, "docs/a.md", 2)
    assert "not covered by a task that me holds" in hook(up, "setup.py", 2)
    assert "held by me" in hook(up, "src/x.py", 2, "you")
    hook(up, "/etc/passwd", 0)
    hook(up, ".kortana/worktrees/mine/src/x.py", 0)
    (up.folder / "src").mkdir()
    (up.folder / "src" / "link.md").symlink_to("../docs/a.md")
    assert "docs/a.md is held by you" in hook(up, "src/link.md", 2)
    assert "held by you" in up.call("guard", "check", "docs/a.md", expect=2).stderr, (
        "a person keeps out of others' paths"
    )
    up.call("guard", "check", "setup.py")


def test_a_commit_of_many_files_is_looked_at_to_the_last(up: Project) -> None:
    subprocess.run(["git", "init", "-q"], cwd=up.folder, check=True)
    long = "x" * 150
    (up.folder / "src" / long).mkdir(parents=True)
    (up.folder / "docs").mkdir()
    for number in range(700):
        (up.folder / "src" / long / f"{number}.py").touch()
    subprocess.run(["git", "add", "src"], cwd=up.folder, check=True)
    up.call("guard", "commit", "--as", "me")
    (up.folder / "zz.py").touch()
    subprocess.run(["git", "add", "zz.py"], cwd=up.folder, check=True)
    assert "zz.py is not covered" in up.call("guard", "commit", "--as", "me", expect=2).stderr
    told = up.call("guard", "commit", "--as", "you", expect=2).stderr.splitlines()
    assert len(told) == 21 and told[-1] == "kortana guard: and 681 more"


def test_a_commit_that_takes_a_file_out_of_anothers_paths_is_refused(up: Project) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=up.folder, check=True, capture_output=True)

    (up.folder / "docs").mkdir()
    (up.folder / "docs" / "a.md").write_text("some words\n" * 20)
    (up.folder / "src").mkdir()
    git("init", "-q")
    git("config", "diff.relative", "true")
    git("add", "docs")
    git("-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "first", "--no-verify")
    git("mv", "docs/a.md", "src/a.md")
    told = up.call("guard", "commit", "--as", "me", expect=2).stderr
    assert told == "kortana guard: docs/a.md is held by you (task theirs); take another task, or wait for it\n"
    in_src = subprocess.run([KORTANA, "guard", "commit", "--as", "me"], cwd=up.folder / "src", env=up.env, check=False)
    assert in_src.returncode == 2


@pytest.mark.parametrize(("path", "code"), [("src/\udcff.py", 0), ("other/\ud800.py", 2), ("x" * 100_000, 2)])
def test_a_path_that_is_hardly_one_is_judged_all_the_same(up: Project, path: str, code: int) -> None:
    assert "Traceback" not in hook(up, path, code)


@pytest.mark.parametrize(("mode", "code"), [("warn", 0), ("off", 0)])
def test_it_may_only_warn_or_be_off(project: Project, mode: str, code: int) -> None:
    project.write({"guard": mode, "workers": {"i": {"command": ["sleep", "1000"]}}})
    project.up()
    told = hook(project, "setup.py", code)
    assert bool(told) == (mode == "warn")


def test_without_a_kortana_nothing_is_refused(project: Project) -> None:
    project.write({"workers": {"i": {"command": ["sleep", "1000"]}}})
    assert hook(project, "x.py", 0) == ""
    assert project.call("guard", "hook", "--as", "me", input="not json").stderr == ""


def test_the_hooks_are_installed_beside_what_is_there_and_taken_out_again(up: Project) -> None:
    subprocess.run(["git", "init", "-q"], cwd=up.folder, check=True)
    settings = up.folder / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("[]")
    assert "not the settings" in up.call("guard", "install", "claude", expect=1).stderr
    settings.write_text('{"model": "x", "hooks": {"Stop": []}}')
    settings.chmod(0o600)
    pre_commit = up.folder / ".git" / "hooks" / "pre-commit"
    pre_commit.parent.mkdir(exist_ok=True)
    pre_commit.write_text("#!/bin/sh\necho theirs\n")
    up.call("guard", "install")
    assert json.loads(settings.read_text())["hooks"]["PreToolUse"] and "echo theirs" in pre_commit.read_text()
    up.call("guard", "install")
    assert pre_commit.read_text().count("kortana guard commit") == 1
    (up.folder / "docs").mkdir()
    (up.folder / "docs" / "a.md").write_text("x")
    subprocess.run(["git", "add", "docs/a.md"], cwd=up.folder, check=True)
    assert "held by you" in up.call("guard", "commit", expect=2).stderr
    up.call("guard", "install", "--uninstall")
    assert json.loads(settings.read_text()) == {"model": "x", "hooks": {"Stop": []}}
    assert settings.stat().st_mode & 0o777 == 0o600
    assert pre_commit.read_text() == "#!/bin/sh\necho theirs\n"


def test_the_git_hook_comes_first_and_only_into_a_shell_script(up: Project) -> None:
    """What stands there may end with `exec`, as the hooks of the pre-commit framework do."""
    subprocess.run(["git", "init", "-q"], cwd=up.folder, check=True)
    pre_commit = up.folder / ".git" / "hooks" / "pre-commit"
    pre_commit.parent.mkdir(exist_ok=True)
    theirs = "#!/usr/bin/env bash\nexec true\n"
    pre_commit.write_text(theirs)
    up.call("guard", "install", "git")
    (up.folder / "bin").mkdir()
    (up.folder / "bin" / "kortana").write_text("#!/bin/sh\nexit 2\n")
    (up.folder / "bin" / "kortana").chmod(0o755)
    without = {**up.env, "PATH": "/usr/bin:/bin"}
    with_kortana = {**up.env, "PATH": f"{up.folder}/bin:/usr/bin:/bin"}
    assert subprocess.run([pre_commit], env=with_kortana, check=False).returncode == 1
    done = subprocess.run([pre_commit], env=without, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "no kortana in PATH" in done.stderr
    up.call("guard", "install", "git", "--uninstall")
    assert pre_commit.read_text() == theirs
    pre_commit.write_text("#!/usr/bin/env python3\n")
    assert "no shell script" in up.call("guard", "install", "git", expect=1).stderr
    assert pre_commit.read_text() == "#!/usr/bin/env python3\n"


def test_a_command_runs_under_a_lease_and_its_end_is_reported(up: Project) -> None:
    look = f"{sys.executable} -m kortana why free | grep -q 'job holds it' && echo held by $KORTANA_TASK"
    done = up.call("agent", "run", "free", "--as", "job", "--", "sh", "-c", look)
    assert "held by free" in done.stdout
    assert up.task("free")["status"] == "completed" and up.task("free")["result"]["exit_code"] == 0
    up.call("tasks", "add", "bad")
    up.call("agent", "run", "bad", "--as", "job", "--", "sh", "-c", "exit 3", expect=3)
    assert up.task("bad")["attempts"] == 1
    refused = up.call("agent", "run", "theirs", "--as", "job", "--", "true", expect=4)
    assert "task_already_leased" in refused.stderr
    block = f"cd / && {sys.executable} -m kortana agent block stuck --reason why --needs bad"
    up.call("tasks", "add", "stuck")
    blocked = up.call("agent", "run", "stuck", "--as", "job", "--", "sh", "-c", block)
    assert "stuck is blocked: giving it back" in blocked.stderr
    assert (up.task("stuck")["status"], up.task("stuck")["owner"]) == ("blocked", None)
    up.call("tasks", "add", "lost")
    process = subprocess.Popen(
        [sys.executable, "-m", "kortana", "agent", "run", "lost", "--as", "job", "--", "sleep", "1000"],
        cwd=up.folder, env=up.env,
    )  # fmt: skip
    eventually(lambda: up.task("lost")["owner"] == "job", "it is held")
    process.kill()
    process.wait()
    eventually(lambda: up.task("lost")["owner"] is None, "released with the process")
