"""The legacy file mailboxes against a running Kortana."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.e2e.project import Project, eventually

WRITERS, EVENTS = 8, 10_000
WRITER = """
import json, os, sys
name, count = sys.argv[1], int(sys.argv[2])
fd = os.open("queues/coordinator_in.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for n in range(count):
    kind = ["TASK_CLAIM", "HEARTBEAT", "TASK_RELEASE", "SOMETHING_OLD"][n % 4]
    line = {"id": f"{name}-{n}", "source": name, "event_type": kind, "payload": {}}
    if kind in ("TASK_CLAIM", "TASK_RELEASE"):
        line["task_id"] = f"{name}-{n // 4}"
    os.write(fd, json.dumps(line).encode() + b"\\n")
"""


@pytest.fixture
def up(project: Project) -> Project:
    project.write(
        {"relay": {"enabled": True}, "workers": {"i": {"command": ["sleep", "1000"]}}, "tasks": [{"id": "t"}]}
    )
    project.up()
    return project


def inbox(project: Project, agent: str) -> list[dict[str, Any]]:
    path = project.folder / "queues" / f"{agent}_in.txt"
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def say(project: Project, data: bytes, name: str = "queues/coordinator_in.txt") -> None:
    path = project.folder / name
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as file:
        file.write(data)


def line(**fields: Any) -> bytes:
    return json.dumps({"source": "alpha", "payload": {}, **fields}).encode() + b"\n"


def answers(project: Project, agent: str) -> dict[str, dict[str, Any]]:
    return {e["payload"]["ack_for_event_id"]: e["payload"] for e in inbox(project, agent) if e["event_type"] == "ACK"}


def test_structured_lines_are_events_and_answers_come_back(up: Project) -> None:
    say(up, line(id="one", event_type="TASK_CLAIM", task_id="t"))
    eventually(lambda: "one" in answers(up, "alpha"), "the answer")
    assert answers(up, "alpha")["one"]["accepted"] and up.task("t")["owner"] == "alpha"
    say(up, line(id="two", source="beta", event_type="TASK_CLAIM", task_id="t"))
    eventually(lambda: "two" in answers(up, "beta"), "the denial")
    denied = lambda: any(e["payload"].get("instruction") == "claim_denied" for e in inbox(up, "beta"))  # noqa: E731
    eventually(denied, "the directive")
    half = line(id="three", event_type="HEARTBEAT", task_id="t", payload={"details": "h\u00e9"})
    at = half.index(b"\\u") if b"\\u" in half else len(half) // 2
    say(up, half[:at])
    say(up, line(id="four", source="beta", event_type="INFO", target="alpha")[:0])
    assert "three" not in answers(up, "alpha"), "a partial last line waits"
    say(up, half[at:])
    eventually(lambda: "three" in answers(up, "alpha"), "the rest has come")
    say(up, line(id="five", event_type="NEVER_HEARD_OF"))
    eventually(lambda: "five" in answers(up, "alpha"), "an unknown type is INFO")
    assert any(r["event_type"] == "INFO" and r["payload"].get("original_type") for r in up.journal())


def test_a_line_that_comes_again_has_no_second_effect_and_gets_the_same_answer(up: Project) -> None:
    for restart in (False, True):
        say(up, line(id="once", event_type="TASK_CLAIM", task_id="t"))
        say(up, line(id=f"after {restart}", event_type="HEARTBEAT"))
        eventually(lambda restart=restart: f"after {restart}" in answers(up, "alpha"), "read")
        if not restart:
            up.down()
            up.up()
    found = [e["payload"] for e in inbox(up, "alpha") if e["payload"].get("ack_for_event_id") == "once"]
    assert len(found) == 2 and found[0]["lease"]["token"] == found[1]["lease"]["token"]


def test_bad_lines_are_logged_with_their_place_and_skipped(up: Project) -> None:
    bad = [
        b"not json\n",
        b"\xff\xfe\n",
        line(source="../../etc/passwd", event_type="INFO"),
        line(source="all", id="x", event_type="INFO"),
    ]
    for data in bad:
        say(up, data)
    say(up, line(id="good", event_type="HEARTBEAT"))
    eventually(lambda: "good" in answers(up, "alpha"), "the good one is answered")
    logged = up.supervision("relay_bad_line")
    assert len(logged) == len(bad)
    assert logged[0]["offset"] == 0 and all("coordinator_in.txt" in item["file"] for item in logged)
    names = {path.name for path in (up.folder / "queues").iterdir()}
    assert names == {"coordinator_in.txt", "alpha_in.txt"}


def test_plain_lines_of_a_log_are_messages(up: Project) -> None:
    say(up, line(id="hi", source="beta", event_type="HEARTBEAT"))
    eventually(lambda: "hi" in answers(up, "beta"), "beta is known")
    say(
        up,
        b'[2026-11-25 10:00:00] INTENT: I take src/main.py @beta\n{"event_type": "INFO"}\nchatter\n',
        "logs/alpha.log",
    )
    eventually(lambda: [e for e in inbox(up, "beta") if e["event_type"] == "INFO"], "the message")
    found = [e for e in inbox(up, "beta") if e["event_type"] == "INFO"]
    assert [(e["source"], e["payload"]["intent"]) for e in found] == [("alpha", "INTENT")]


def test_a_message_to_an_agent_that_has_not_spoken_yet_waits_in_its_file(up: Project) -> None:
    say(up, b"[2026-11-25 10:00:00] INTENT: you take the docs @gamma\n", "logs/alpha.log")
    eventually(lambda: [e for e in inbox(up, "gamma") if e["event_type"] == "INFO"], "the message")
    assert not (up.folder / "queues" / "beta_in.txt").exists()


def test_rotation_and_truncation_are_noticed(up: Project) -> None:
    say(up, line(id="a1", event_type="HEARTBEAT"))
    eventually(lambda: "a1" in answers(up, "alpha"), "before")
    path = up.folder / "queues" / "coordinator_in.txt"
    path.rename(path.with_suffix(".old"))
    say(up, line(id="a2", event_type="HEARTBEAT"))
    eventually(lambda: "a2" in answers(up, "alpha"), "after a rotation")
    path.write_bytes(b"")
    eventually(
        lambda: (
            json.loads((up.folder / "data/relay_positions.json").read_text())["queues/coordinator_in.txt"]["offset"]
            == 0
        ),
        "noticed",
    )
    say(up, line(id="a3", event_type="HEARTBEAT"))
    eventually(lambda: "a3" in answers(up, "alpha"), "after a truncation")
    assert Counter(e["payload"].get("ack_for_event_id") for e in inbox(up, "alpha"))["a1"] == 1


def test_lines_that_were_not_read_yet_when_the_file_was_renamed_are_not_lost(up: Project) -> None:
    path = up.folder / "queues" / "coordinator_in.txt"
    for number in range(600):
        say(up, line(id=f"e{number}", event_type="HEARTBEAT"))
        if number % 100 == 99:
            path.rename(path.with_suffix(f".{number}"))
            say(up, line(id=f"n{number}", event_type="HEARTBEAT"))
            eventually(lambda number=number: f"n{number}" in answers(up, "alpha"), "it goes on with the next")
    assert {f"e{number}" for number in range(600)} <= answers(up, "alpha").keys()
    up.down()
    say(up, line(id="before", event_type="HEARTBEAT"))
    path.rename(path.with_suffix(".down"))
    say(up, line(id="after", event_type="HEARTBEAT"))
    up.up()
    eventually(lambda: "after" in answers(up, "alpha"), "the new one")
    assert "before" in answers(up, "alpha")
    acks = Counter(e["payload"]["ack_for_event_id"] for e in inbox(up, "alpha") if e["event_type"] == "ACK")
    assert set(acks.values()) == {1}


def test_a_message_in_a_log_reaches_the_worker_that_it_names_and_nobody_else(up: Project) -> None:
    say(up, line(id="hi", source="beta", event_type="HEARTBEAT"))
    eventually(lambda: "hi" in answers(up, "beta"), "beta is known")
    lines = "".join(f"[2026-11-25 10:00:00] INTENT: {number} {'x' * 400} @i\n" for number in range(4000))
    say(up, lines.encode(), "logs/alpha.log")  # more than is read at once
    last = lambda: [e for e in up.journal() if e["event_type"] == "INFO" and e["payload"]["text"][:5] == "3999 "]  # noqa: E731
    eventually(last, "all are read")
    told = [e for e in up.journal() if e["event_type"] == "INFO"]
    assert [int(e["payload"]["text"].split()[0]) for e in told] == [*range(4000)]
    assert {e["target"] for e in told} == {"i"}
    assert {e["event_type"] for e in inbox(up, "beta")} == {"ACK"} and inbox(up, "alpha") == []


def test_an_agent_whose_file_cannot_be_written_gets_its_answers_and_mail_once_it_can(up: Project) -> None:
    barred = up.folder / "queues" / "beta_in.txt"
    barred.mkdir(parents=True)
    many = b"".join(line(id=f"b{number}", source="beta", event_type="HEARTBEAT") for number in range(5000))
    say(up, many + line(id="a", event_type="INFO", target="beta", payload={"text": "hello"}))
    eventually(lambda: "a" in answers(up, "alpha"), "the others are answered")
    barred.rmdir()
    eventually(lambda: "b0" in answers(up, "beta"), "answers")
    eventually(lambda: any(e["payload"].get("text") == "hello" for e in inbox(up, "beta")), "mail")
    assert len(_told(up, "relay_write_failed")) == 1


@pytest.mark.parametrize("kill", [False, True], ids=["undisturbed", "across a kill -9"])
def test_ten_thousand_events_from_eight_processes_are_each_answered_once(up: Project, kill: bool) -> None:
    (up.folder / "queues").mkdir(exist_ok=True)
    (up.folder / "writer.py").write_text(WRITER)
    count = EVENTS // WRITERS
    writers = [
        subprocess.Popen([sys.executable, "writer.py", f"w{n}", str(count)], cwd=up.folder) for n in range(WRITERS)
    ]
    names = [f"w{n}" for n in range(WRITERS)]

    def answered() -> int:
        return sum(len(answers(up, name)) for name in names)

    if kill:
        eventually(lambda: answered() > EVENTS // 10, "a part is answered")
        os.kill(up.pids()["supervisor"], signal.SIGKILL)
        eventually(lambda: not [p for p in up.processes().values() if "kortana" in p], "the tree is gone")
        up.up()
    for writer in writers:
        assert writer.wait(60) == 0
    eventually(lambda: answered() == EVENTS, "all are answered", 120)
    for name in names:
        acks = Counter(e["payload"]["ack_for_event_id"] for e in inbox(up, name) if e["event_type"] == "ACK")
        assert set(acks.values()) == {1} and len(acks) == count
    assert not up.audit().violations


def test_an_agent_that_was_written_for_files_works_against_a_running_kortana(up: Project) -> None:
    code = """
from kortana import AgentInterface
import sys
a, b = AgentInterface("alpha", project_root=sys.argv[1]), AgentInterface("beta", project_root=sys.argv[1])
b.connect(); a.connect()
assert a.claim_task("t")
assert not b.claim_task("t")
events = b.get_new_events()
assert [d["payload"]["instruction"] for d in b.check_for_directives(events)] == ["claim_denied"], events
a.send_intent("going for src", "beta"); a.send_status("busy", target="beta"); a.send_output("done", "beta")
a.heartbeat()
lines = []
while len(lines) < 3:
    lines += b.get_new_messages()
assert lines == ["alpha: going for src", "alpha: busy", "alpha: done"], lines
a.send_output("more", "beta"); a.heartbeat()
while not b.get_queue_status()["pending"]:
    pass
assert b.get_queue_status() == {"agent": "beta", "pending": 1, "connected": True}, b.get_queue_status()
assert b.clear_queue() == 1 and b.get_queue_status()["pending"] == 0
"""
    done = subprocess.run([sys.executable, "-c", code, str(up.folder)], env=up.env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _told(project: Project, event: str) -> list[dict[str, Any]]:
    lines = (project.folder / "data" / "supervision.jsonl").read_text().splitlines()
    return [found for found in map(json.loads, lines) if found["event"] == event]


def test_odd_files_are_left_alone_and_named_and_cost_nobody_else_anything(project: Project) -> None:
    logs, queues = project.folder / "logs", project.folder / "queues"
    (logs / "folder.log").mkdir(parents=True)
    (queues / "beta_in.txt").mkdir(parents=True)
    os.mkfifo(logs / "pipe.log")
    (logs / "loop.log").symlink_to("loop.log")
    project.write({"relay": {"enabled": True}, "workers": {}})
    project.up()
    for source in ("alpha", "beta", "gamma"):
        say(project, line(id=source, source=source, event_type="TASK_ADD", task_id=source))
    for agent in ("alpha", "gamma"):
        eventually(lambda agent=agent: agent in answers(project, agent), f"{agent}'s answer")
    assert len(project.json("tasks", "list")["tasks"]) == 3
    named = {(os.path.basename(e["file"]), e["error"]) for e in _told(project, "relay_unread")}
    assert {name for name, _ in named} == {"folder.log", "pipe.log", "loop.log"}
    assert ("pipe.log", "not a regular file") in named
    assert {os.path.basename(e["file"]) for e in _told(project, "relay_write_failed")} == {"beta_in.txt"}
    assert not _told(project, "actor_died")
    project.down()


def test_a_relay_that_cannot_live_is_tried_again_and_ends_nothing_else(project: Project) -> None:
    (project.folder / "queues").write_text("a file")
    project.write({"relay": {"enabled": True}, "workers": {"i": {"command": ["sleep", "1000"]}}})
    project.up()
    eventually(lambda: _told(project, "relay_paused"), "it is told")
    assert "queues" in _told(project, "relay_paused")[0]["error"]
    assert project.running("i", 1)
    (project.folder / "queues").unlink()
    say(project, line(id="one", event_type="TASK_ADD", task_id="t"))
    eventually(lambda: "one" in answers(project, "alpha"), "it lives")
    project.down()
