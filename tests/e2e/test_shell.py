"""The shell adapter with commands as people write them: they leave something behind, say nothing, never end a line."""

import signal

from tests.e2e.project import Project, eventually


def team(project: Project, *tasks: dict[str, object], **worker: object) -> None:
    project.write({"workers": {"w": {"agent": "shell", **worker}}, "tasks": list(tasks)})


def test_a_task_is_done_when_its_command_is_whatever_that_has_left_running(project: Project) -> None:
    team(project, {"id": "t", "run": "sleep 1000 & yes & echo up"}, {"id": "after", "run": "true", "depends_on": ["t"]})
    project.up()
    assert eventually(lambda: project.task_counts() == {"completed": 2})
    project.down()
    assert eventually(project.all_gone)


def test_a_task_without_a_command_is_left_to_others(project: Project) -> None:
    """It had been claimed, and failed, until it was quarantined."""
    team(project, {"id": "talk", "prompt": "Write it"}, {"id": "job", "run": "true"}, {"id": "after", "run": "true",
         "depends_on": ["talk"]})  # fmt: skip
    project.up()
    eventually(lambda: project.task_counts() == {"pending": 2, "completed": 1})
    assert project.json("why", "talk")["causes"][0]["kind"] == "not_asked_for"
    assert project.call("agent", "claim", "--as", "guest", "--having", "prompt").stdout.startswith("talk ")
    project.call("agent", "update", "talk", "completed", "--as", "guest")
    eventually(lambda: project.task_counts() == {"completed": 3})


def test_until_done_ends_where_no_adapter_takes_what_is_left(project: Project) -> None:
    team(project, {"id": "talk", "prompt": "Write it"}, {"id": "job", "run": "true"}, replicas=2)
    done = project.call("up", "--exit-when-done", expect=1)
    assert "warning: task talk has no run, which the adapters of all workers for it ask for" in done.stderr
    assert "no task can go on" in done.stdout
    assert "talk: those that wait for a task ask for one with run" in done.stdout


def test_output_without_line_feeds_is_taken_in_pieces(project: Project) -> None:
    team(project, {"id": "t", "run": "head -c 3000000 /dev/zero; exit 3", "max_attempts": 1})
    project.up()
    eventually(lambda: project.task_counts() == {"failed": 1})
    assert project.task("t")["result"]["exit_code"] == 3


def test_the_last_line_is_told_as_what_is_being_done_and_is_progress(project: Project) -> None:
    ticks = "for i in 1 2 3 4 5 6 7 8; do echo step $i; sleep 0.25; done; sleep 1000"
    team(project, {"id": "t", "run": ticks}, liveness={"progress_timeout": "1500ms", "action": "report"})
    project.up()
    eventually(lambda: project.task("t")["details"].startswith("step "))
    assert project.task("t")["status"] == "in_progress"
    eventually(lambda: project.supervision("unhealthy", cause="progress timeout"))


def no_sleeper(project: Project) -> bool:
    return not any("sleep 1000" in command for command in project.processes().values())


def test_a_command_that_says_nothing_ends_when_its_lease_is_lost(project: Project) -> None:
    team(project, {"id": "t", "run": "exec sleep 1000"})
    project.up()
    eventually(lambda: project.task("t")["status"] == "in_progress")
    project.call("tasks", "cancel", "t")
    assert eventually(lambda: no_sleeper(project))


def test_so_does_one_that_a_person_runs_under_a_lease(project: Project) -> None:
    project.write({"workers": {}, "tasks": [{"id": "t"}]})
    project.up()
    running = project.start("agent", "run", "t", "--as", "me", "--ttl", "1.5", "--", "sleep", "1000")
    eventually(lambda: project.task("t")["status"] == "in_progress")
    project.call("tasks", "cancel", "t")
    assert running.wait(60) == 128 + signal.SIGTERM
    assert eventually(lambda: no_sleeper(project))
