"""Every command as a person, or a script, calls it."""

import json
import os
import signal

import pytest

from kortana import AgentInterface
from kortana.cli.down import down
from kortana.cli.errors import TIMED_OUT, CliError
from kortana.processes.lock import holder_of
from kortana.processes.watched import Watched
from tests.e2e.project import Project, eventually

TEAM = {
    "workers": {"a": {"command": ["sleep", "1000"]}},
    "tasks": [
        {"id": "first", "title": "The first", "priority": 80},
        {"id": "second", "depends_on": ["first"]},
        {"id": "third", "paths": ["src/**"]},
        {"id": "fourth", "paths": ["src/main.py"]},
    ],
}


@pytest.fixture
def team(project: Project) -> Project:
    project.write(TEAM)
    project.up()
    return project


def agent(project: Project, *words: str, name: str = "me", expect: int = 0) -> str:
    return project.call("agent", *words, "--as", name, expect=expect).stdout


def test_a_task_goes_from_claim_to_completion_by_hand(team: Project) -> None:
    task, token = agent(team, "claim").split()
    assert task == "first" and int(token) > 0
    assert "me" in team.call("why", "first").stdout
    agent(team, "heartbeat", "first")
    agent(team, "update", "first", "in_progress", "--progress", "40", "--details", "half way")
    assert team.task("first")["progress"] == 40
    listed = team.call("tasks", "list").stdout
    assert "40" in listed and "first" in listed
    assert "first" in team.call("why", "second").stdout
    agent(team, "update", "first", "completed", "--result", '{"lines": 3}')
    assert team.task("first")["status"] == "completed"
    assert agent(team, "claim").startswith("second ")


def test_a_denied_claim_names_holder_and_expiry_with_code_4(team: Project) -> None:
    agent(team, "claim", "third")
    denied = team.call("agent", "claim", "third", "--as", "you", expect=4)
    assert "task_already_leased (held by me until" in denied.stderr
    conflict = json.loads(team.call("agent", "claim", "fourth", "--as", "you", "--json", expect=4).stdout)
    assert conflict["reason"] == "path_conflict"


def test_an_operator_steers_the_tasks(team: Project) -> None:
    team.call("tasks", "add", "fifth", "--title", "By hand", "--priority", "90")
    assert team.task("fifth")["priority"] == 90
    agent(team, "claim", "fifth")
    team.call("tasks", "release", "fifth")
    assert team.task("fifth")["status"] == "pending"
    stale = team.call("agent", "update", "fifth", "completed", "--as", "me", expect=4)
    assert "not_owner" in stale.stderr + stale.stdout
    team.call("tasks", "cancel", "fifth")
    assert team.task("fifth")["status"] == "cancelled"
    team.call("tasks", "reset", "fifth")
    assert team.task("fifth")["status"] == "pending"
    team.call("tasks", "rm", "fifth")
    assert team.call("tasks", "show", "fifth", expect=None).returncode != 0


def test_tasks_go_out_and_come_back_in(team: Project) -> None:
    exported = team.call("tasks", "export").stdout
    (team.folder / "more.yaml").write_text(exported.replace("first", "premier"))
    team.call("tasks", "import", "more.yaml")
    assert team.task("second")["depends_on"] == ["first"]
    assert team.task("premier")["title"] == "The premier" or team.task("premier")["title"] == "The first"


def test_every_field_of_a_task_survives_export_and_import(team: Project) -> None:
    words = ["--title", "T", "--run", "r", "--prompt", 'p "q"', "--priority", "7", "--depends-on", "first", "--path",
             "x/**", "--path", "y", "--requires", "python", "--lease-ttl", "5m", "--max-attempts", "9"]  # fmt: skip
    team.call("tasks", "add", "all", *words)
    agent(team, "claim", "first", "--ttl", "77")
    exported = {task["id"]: task for task in map(json.loads, team.call("tasks", "export").stdout.splitlines())}
    assert "lease_ttl_s" not in exported["first"], "a lease's TTL is not the task's"
    team.call("tasks", "rm", "all")
    team.call("tasks", "import", "-", input=json.dumps(exported["all"]) + "\n")
    again = {task["id"]: task for task in map(json.loads, team.call("tasks", "export").stdout.splitlines())}
    assert again["all"] == exported["all"] == {
        "id": "all", "title": "T", "run": "r", "prompt": 'p "q"', "priority": 7, "depends_on": ["first"],
        "paths": ["x/**", "y"], "requires": ["python"], "lease_ttl_s": 300.0, "max_attempts": 9,
    }  # fmt: skip


def test_messages_wait_for_their_reader_and_a_blocker_makes_others_replan(team: Project) -> None:
    agent(team, "heartbeat", name="you", expect=None)
    agent(team, "claim", "first")
    agent(team, "send", "you", "look at src/main.py")
    assert "look at src/main.py" in agent(team, "inbox", name="you")
    agent(team, "block", "first", "--reason", "needs the third", "--needs", "third")
    assert team.task("first")["status"] == "blocked"
    assert "third" in team.call("why", "first").stdout


def test_events_and_replay_tell_the_same_story(team: Project) -> None:
    agent(team, "claim", "first")
    events = [json.loads(line) for line in team.call("events", "--json").stdout.splitlines()]
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    claim = next(e for e in events if e["event_type"] == "TASK_CLAIM")
    before = json.loads(team.call("replay", "--until", str(claim["seq"] - 1), "--json").stdout)
    after = json.loads(team.call("replay", "--json").stdout)
    statuses = [state["tasks"]["first"]["status"] for state in (before, after)]
    assert statuses == ["pending", "in_progress"]
    team.call("replay", "--verify")
    mine = [json.loads(line) for line in team.call("events", "--agent", "me", "--json").stdout.splitlines()]
    assert [e["event_type"] for e in mine][:3] == ["AGENT_UP", "TASK_CLAIM", "ACK"]


def test_without_a_running_kortana_commands_end_with_code_3_and_say_what_to_do(project: Project) -> None:
    project.write(TEAM)
    for words in (("start", "a"), ("stop", "a"), ("agent", "claim", "--as", "me")):
        done = project.call(*words, expect=3)
        assert "kortana up" in done.stderr


def test_wrong_calls_end_with_code_2_and_name_the_place(team: Project) -> None:
    for words in (("nonsense",), ("stop", "nobody"), ("agent", "dance"), ("tasks", "add"), ("logs", "nobody")):
        done = team.call(*words, expect=2)
        assert done.stderr.strip(), words


def test_what_an_agent_says_wrongly_is_said_before_anything_is_done(team: Project) -> None:
    for words, told in [
        (["claim", "first", "--wait", "1e99"], "--wait: at most 604800 seconds, not 1e99"),
        (["run", "first", "--wait", "1e99", "--", "true"], "--wait: at most 604800 seconds"),
        (["send", "all", "hi", "--type", "TASK_CLAIM", "--task", "first"], "--type: TASK_CLAIM is no message; INFO, "),
        (["heartbeat", "first", "--token", "1.5"], "--token: a whole number is needed, not '1.5'"),
        (["update", "first"], "update: 2 words are needed, not 1"),
        (["release"], "release: 1 word is needed, not 0"),
    ]:
        assert told in team.call("agent", words[0], "--as", "me", *words[1:], expect=2).stderr
    other = team.call("agent", "send", "all", "hi", "--type", "NEWS", "--as", "me", expect=4)
    assert "unknown_event_type" in other.stderr
    assert team.task("first")["owner"] is None


def test_tasks_are_listed_by_status_and_an_unknown_one_is_told(team: Project) -> None:
    team.call("tasks", "add", "spent", "--max-attempts", "1")
    agent(team, "claim", "spent")
    agent(team, "update", "spent", "failed")
    for status in ("failed", "quarantined"):
        assert [task["id"] for task in team.json("tasks", "list", "--status", status)["tasks"]] == ["spent"]
        assert "spent  quarantined" in team.call("tasks", "list", "--status", status).stdout
    assert "'done' is not one of 'pending'" in team.call("tasks", "list", "--status", "done", expect=2).stderr


def test_logs_are_kept_and_followed_by_name(project: Project) -> None:
    project.write({"workers": {"a": {"command": ["sh", "-c", "echo one; echo two >&2; exec sleep 1000"]}}})
    project.up()
    eventually(lambda: "two" in project.log("a"), "output is captured")
    shown = project.call("logs", "a", "-n", "10").stdout
    assert "one" in shown and "two" in shown
    assert "kortana up" in project.call("logs", "kortana").stdout


def test_completion_and_schema_are_there(project: Project) -> None:
    assert "complete" in project.call("completion", "bash").stdout
    told = project.call("config", "explain", "workers.a.stop").stdout
    assert "workers.NAME.stop.grace  (a duration; default 10s)\n    What is left of it" in told
    schema = json.loads(project.call("config", "schema").stdout)
    assert "workers" in schema["properties"]


def test_a_wait_that_is_not_granted_ends_with_code_5_or_4_in_time(team: Project) -> None:
    agent(team, "claim", "third")
    done = team.call("agent", "claim", "third", "--wait", "0.3", "--as", "you", expect=None)
    assert done.returncode in (4, 5)


def test_with_nothing_running_the_tasks_are_told_from_the_files(team: Project) -> None:
    agent(team, "claim", "first")
    team.down()  # with a checkpoint
    team.up()
    agent(team, "update", "first", "completed")
    os.kill(team.pids()["supervisor"], signal.SIGKILL)
    eventually(team.all_gone)
    checkpoint = team.folder / "data" / "checkpoint.json"
    for _ in range(2):
        assert {task["id"]: task["status"] for task in team.json("tasks", "list")["tasks"]} == {
            "first": "completed", "second": "pending", "third": "pending", "fourth": "pending"
        }  # fmt: skip
        assert team.task("first")["history"][-1]["event_type"] == "ACK"
        assert "ready" in team.call("why", "second").stdout or "no agent is up" in team.call("why", "second").stdout
        checkpoint.write_text(checkpoint.read_text().replace("first", "f1rst"))  # then all of the journal is read


def test_a_full_inbox_is_given_in_parts(project: Project) -> None:
    project.write({"workers": {"a": {"command": ["sleep", "1000"]}}, "coordinator": {"mailbox_limit": 2000}})
    project.up()
    agent(project, "inbox")
    with AgentInterface("writer", project.folder) as writer:
        for number in range(1500):
            writer.send_event("INFO", "me", payload={"n": number})
        writer.claim_task("all-is-there")
    found = []
    for most in (1000, 500, 0):
        lines = agent(project, "inbox").splitlines()
        assert len(lines) == most
        found += [json.loads(line)["payload"]["n"] for line in lines]
    assert found == list(range(1500))


def test_a_worker_has_the_messages_that_were_sent_before_it_first_came_up(project: Project) -> None:
    reads = ["sh", "-c", "kortana agent inbox --wait 60; exec sleep 1000"]
    gate, late = {"command": ["sleep", "1000"]}, {"command": reads, "start_after": {"gate": "exited"}}
    project.write({"workers": {"gate": gate, "late": late}})
    project.start_foreground()
    eventually(lambda: project.call("ps", expect=None).returncode == 0, "it runs")
    assert project.worker("late")["state"] == "waiting"
    agent(project, "send", "late", "you are next")
    project.call("start", "late")
    eventually(lambda: "you are next" in project.log("late"), "late has it")
    assert project.worker("late")["incarnation"] == 1, "its first start"
    project.down()
    project.call("replay", "--verify")
    project.call("fsck")


def test_a_full_inbox_is_told_of_and_the_others_go_on(project: Project) -> None:
    project.write({"workers": {"a": {"command": ["sleep", "1000"]}}, "coordinator": {"mailbox_limit": 3}})
    project.up()
    with AgentInterface("me", project.folder) as me:
        for number in range(3 + 4):
            assert me.send_event("INFO", "a", payload={"n": number}, requires_ack=True)
    eventually(lambda: len(project.supervision("mailbox_full", agent="a")) == 3)
    assert [entry["dropped"] for entry in project.supervision("mailbox_full")] == [1, 2, 4]


def test_a_pruned_journal_is_shown_from_the_checkpoint_on_and_says_what_it_cannot(project: Project) -> None:
    """Pieces of 64 KiB, of which one is kept beside what the checkpoint needs."""
    project.write(
        {
            "workers": {"a": {"command": ["sleep", "1000"]}},
            "journal": {"rotate_size": "64KiB", "keep_segments": 1},
        }
    )
    project.up()
    with AgentInterface("me", project.folder) as me:
        for number in range(200):
            me.add_task(f"t{number}", title="x" * 1000)
    project.down()
    project.up()
    project.down()
    assert "200 tasks" in project.call("replay").stdout
    assert len(project.json("tasks", "list")["tasks"]) == 200
    assert "were pruned (journal.keep_segments)" in project.call("replay", "--verify", expect=1).stderr
    assert "were pruned (journal.keep_segments)" in project.call("replay", "--until", "5", expect=1).stderr
    assert "damaged" not in project.call("fsck").stdout


def test_of_many_tasks_each_is_done_or_named_with_its_reason(team: Project) -> None:
    lines = [{"id": f"t{n}", "depends_on": [f"t{n - 1}"] if n else []} for n in range(200)]
    long = {"id": "long", "run": "x" * 70_000}
    bad = [{"id": "round", "depends_on": ["round"]}, {"id": "no name"}, {"id": "t0"}, long]
    text = "".join(json.dumps(line) + "\n" for line in [*lines[:100], *bad, *lines[100:]])
    done = team.call("tasks", "import", "-", input=text, expect=4)
    assert done.stderr.splitlines()[0] == "kortana: round: refused: dependency_cycle"
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[1:3]] == ["no name", "long"]
    assert done.stderr.splitlines()[3] == "  added 200, 1 were there already, 3 refused"
    assert len(team.json("tasks", "list")["tasks"]) == 204
    done = team.call("tasks", "rm", *(f"t{n}" for n in range(199, -1, -1)), "first", "t7", expect=4)
    assert len(done.stdout.splitlines()) == 200, "what depends on a task may go before it"
    assert [line.partition(":")[0] for line in done.stderr.removeprefix("kortana: ").splitlines()] == [
        "first", "t7", "  200 removed, 2 refused"
    ]  # fmt: skip


@pytest.mark.parametrize("patience", ["60", "0.2"])
def test_down_waits_also_where_the_system_has_no_handle_for_a_process(
    project: Project, monkeypatch: pytest.MonkeyPatch, patience: str
) -> None:
    """As before Linux 5.3: then it is the lock that tells."""
    deaf = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"], "stop": {"grace": "1s"}}
    project.write({"workers": {"a": deaf}})
    project.up()
    monkeypatch.setattr(Watched, "of", lambda pid: None)
    words = ["-f", str(project.folder / "kortana.yaml"), "--timeout", patience]
    if patience == "60":
        assert down.main(words, standalone_mode=False) == 0
        assert holder_of(project.folder / "data" / "run" / "lock") is None
        eventually(project.all_gone)
    else:
        with pytest.raises(CliError) as refused:
            down.main(words, standalone_mode=False)
        assert refused.value.exit_code == TIMED_OUT


ORDERS = "done\x1b[2J\u202e\nfirst  completed"
SHOWN = "done\\u001b[2J\\u202e\\nfirst  completed"


def test_what_others_have_written_gives_no_orders_to_a_persons_terminal(team: Project) -> None:
    agent(team, "claim", "third")
    agent(team, "block", "third", "--reason", ORDERS)
    team.call("tasks", "add", "fifth", "--title", ORDERS, "--prompt", ORDERS)
    lines = team.call("tasks", "list").stdout.splitlines()
    assert len(lines) == 6 and lines[-1].endswith(SHOWN)
    assert SHOWN in team.call("why", "third").stdout
    shown = team.call("tasks", "show", "fifth").stdout
    assert "\x1b" not in shown and "done\\u001b[2J\\u202e\n               first  completed\n" in shown
    for words in (["events", "-n", "20"], ["tasks", "show", "third"], ["ps"]):
        shown = team.call(*words).stdout
        assert "\x1b" not in shown and "\u202e" not in shown
    assert team.task("fifth")["title"] == ORDERS


def test_ctrl_c_ends_a_claim_that_waits_and_nothing_is_granted_to_it_any_more(team: Project) -> None:
    agent(team, "claim", "first")
    waiting = team.start("agent", "claim", "first", "--wait", "1000", "--as", "other")
    eventually(lambda: [r for r in team.journal() if r["event_type"] == "TASK_CLAIM" and r["source"] == "other"])
    waiting.send_signal(signal.SIGINT)
    out, error = waiting.communicate(timeout=60)
    assert (waiting.returncode, out, error) == (130, "", "")
    agent(team, "release", "first")
    assert team.task("first")["owner"] is None


def test_a_journal_line_that_is_no_record_is_said(team: Project) -> None:
    team.down()
    with (team.folder / "data" / "coordination_events.jsonl").open("ab") as journal:
        journal.write(b"no record\n")
    for words in (["events", "-n", "3"], ["events", "--since", "1"]):
        found = team.call(*words, expect=7)
        assert "no record" in found.stderr and "fsck" in found.stderr


def test_a_tree_that_runs_with_another_data_folder_is_told_of(project: Project) -> None:
    team = {"workers": {"a": {"command": ["sleep", "1000"]}}}
    project.write(team)
    project.up()
    pid = project.json("ps")["pid"]
    told = f"this configuration runs with another data_dir: pid {pid} with {project.folder / 'data'}"
    project.write({**team, "data_dir": "other"})
    down = project.call("down")
    assert (down.stdout, told in down.stderr) == ("not running\n", True)
    assert told in project.call("ps", expect=3).stderr
    up = project.call("up", "-d")
    assert up.stderr.count(told) == 1 and "know nothing of each other" in up.stderr
    assert project.json("ps")["pid"] != pid
    project.call("down")
    project.write(team)
    project.call("down")
    assert project.call("down").stderr == ""


def test_commands_leave_nothing_open_that_python_would_warn_of(project: Project) -> None:
    """As it does in its development mode, in the midst of what a person reads."""
    project.env["PYTHONDEVMODE"] = "1"
    project.write({"workers": {"w": {"command": ["sh", "-c", "echo here; exec sleep 1000"]}}, "tasks": [{"id": "t"}]})
    said = project.call("up", "-d").stderr
    for words in ("ps", "tasks list", "tasks show t", "tasks cancel t", "why t", "logs", "events", "replay", "down"):
        said += project.call(*words.split()).stderr
    assert "ResourceWarning" not in said
