"""Standard streams as programs find them: closed, or with a reader that has stopped reading; and a lost terminal."""

import os
import select
import signal
import subprocess
import sys

from tests.e2e.project import PATIENCE_S, Project, eventually

CHATTY = {"command": ["sh", "-c", "echo said something; exec sleep 1000"]}
FLOOD = {"command": ["sh", "-c", "while :; do echo a line of some length that nobody reads; done"]}
TASKS = [{"id": f"t{number}", "run": "true"} for number in range(300)]


def foreground(project: Project, redirection: str, ignored: int | None = None) -> subprocess.Popen[bytes]:
    """`kortana up` as a shell starts it. ignored: a signal that it finds ignored, as under `nohup`."""

    def prepare() -> None:
        if ignored is not None:
            signal.signal(ignored, signal.SIG_IGN)

    return subprocess.Popen(
        ["sh", "-c", f"exec {sys.executable} -m kortana up {redirection}"], cwd=project.folder, env=project.env,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=prepare,
    )  # fmt: skip


def is_up(project: Project) -> bool:
    return project.call("ps", expect=None).returncode == 0


def test_closed_streams_take_nothing_and_no_file_of_kortanas_gets_what_was_meant_for_them(project: Project) -> None:
    project.write({"workers": {"a": CHATTY}})
    up = foreground(project, "<&- >&- 2>&-")
    eventually(lambda: is_up(project) and "said something" in project.log("a"))
    assert project.running("a") and project.supervision("launcher_gone") == []
    closed = ["sh", "-c", f"{sys.executable} -m kortana down <&- >&- 2>&-"]
    assert subprocess.run(closed, cwd=project.folder, env=project.env, timeout=PATIENCE_S, check=False).returncode == 0
    assert up.wait(PATIENCE_S) == 0
    written = {path.name for path in (project.folder / "data").rglob("*") if path.is_file()
               and b"said something" in path.read_bytes()}  # fmt: skip
    assert written == {"a.log"}
    project.call("fsck")


def test_a_reader_that_reads_no_more_keeps_nobody_from_stopping_the_tree(project: Project) -> None:
    project.write({"workers": {"flood": FLOOD, "shell": {"agent": "shell"}}, "tasks": TASKS})
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    up = subprocess.Popen(
        [sys.executable, "-m", "kortana", "up"], cwd=project.folder, env=project.env, stdout=write_end,
        stderr=write_end, start_new_session=True,
    )  # fmt: skip
    eventually(lambda: is_up(project) and project.task_counts() == {"completed": len(TASKS)})
    eventually(lambda: not select.select([], [write_end], [], 0)[1], "the pipe is full")
    up.send_signal(signal.SIGINT)
    assert up.wait(PATIENCE_S) == 0
    os.close(read_end)
    os.close(write_end)
    assert project.supervision("shutting_down", cause="SIGINT")
    eventually(project.all_gone)


def test_under_nohup_a_lost_terminal_ends_nothing(project: Project) -> None:
    project.write({"workers": {"a": CHATTY}})
    up = foreground(project, "", ignored=signal.SIGHUP)
    eventually(lambda: is_up(project) and project.running("a"))
    up.send_signal(signal.SIGHUP)
    up.send_signal(signal.SIGTERM)
    assert up.wait(PATIENCE_S) == 0
    assert [event["cause"] for event in project.supervision("shutting_down")] == ["SIGTERM"]
