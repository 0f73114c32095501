"""Whatever comes over the socket or stands in kortana.yaml: a clear answer, and nobody else is affected."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kortana import AgentInterface
from kortana.transport.dialing import KortanaUnavailable
from kortana.transport.hub import MAX_OF_ONE_AGENT
from tests.e2e.project import PATIENCE_S, Project, RawClient, eventually

SLEEPER = {"command": ["sleep", "1000"]}
TASKS = [{"id": "t1"}, {"id": "t2"}]


@pytest.fixture
def running(project: Project) -> Project:
    project.write({"workers": {"a": SLEEPER}, "tasks": TASKS})
    project.up()
    return project


def healthy(project: Project) -> bool:
    """Another agent is served as ever, and the worker is untouched."""
    client = project.connect()
    assert client.hello("witness")["accepted"]
    assert client.ask("TASK_CLAIM", "t1")["accepted"]
    assert client.ask("TASK_RELEASE", "t1")["accepted"]
    client.close()
    row = project.worker("a")
    return row["state"] == "running" and row["incarnation"] == 1


def frame(**fields: object) -> bytes:
    event = {
        "id": "x1", "timestamp": "2026-01-01T00:00:00.000Z", "source": "raw", "target": "coordinator",
        "event_type": "INFO", "task_id": None, "priority": "normal", "payload": {}, "requires_ack": True,
    }  # fmt: skip
    return json.dumps({**event, **fields}).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"hello?",
        b"\xff\xfe\x00\x00",
        b"[]",
        b'{"id": "x1"}',
        frame(priority="somewhat"),
        frame(payload=[]),
        frame(payload={"n": float("nan")}),
        frame()[:-1] + b',"id":"x2"}',
        frame(payload={"deep": json.loads("[" * 40 + "]" * 40)}),
        frame(payload={"n": 1 << 70}),
        frame(payload={"pad": "x" * 70_000}),
        b"x" * 200_000,
    ],
    ids=[
        "no JSON", "not UTF-8", "a list", "fields missing", "a wrong priority", "a wrong payload", "NaN",
        "duplicate keys", "too deep", "a huge integer", "an oversize event", "an oversize line",
    ],
)  # fmt: skip
def test_what_is_no_event_is_answered_and_closes_its_own_connection_alone(running: Project, line: bytes) -> None:
    client = running.connect()
    assert client.hello("raw")["accepted"]
    client.send_bytes(line + b"\n")
    answer = client.answer()
    assert answer["accepted"] is False and answer["reason"] == "bad_payload" and answer["result"]["detail"]
    assert client.read() is None
    assert healthy(running)


def test_half_a_frame_for_ever_holds_nobody_up(running: Project) -> None:
    client = running.connect()
    client.send_bytes(b'{"id": "never')
    assert healthy(running)
    client.close()


def test_a_source_that_is_not_ones_own_is_refused(running: Project) -> None:
    client = running.connect()
    client.hello("raw")
    client.send(source="claude", event_type="TASK_CLAIM", task_id="t1")
    answer = client.answer()
    assert (answer["accepted"], answer["reason"]) == (False, "source_mismatch")
    assert running.task("t1")["status"] == "pending"
    assert healthy(running)


def test_a_guest_cannot_take_a_workers_name_nor_a_worker_a_wrong_token(running: Project) -> None:
    reasons = [running.connect().hello("a")["reason"], running.connect().hello("a", token="guess")["reason"]]
    assert all(reasons), reasons
    assert healthy(running)


def test_the_first_line_must_be_a_hello(running: Project) -> None:
    client = running.connect()
    client.send(event_type="TASK_CLAIM", task_id="t1")
    assert not client.answer()["accepted"]
    assert client.read() is None


BAD_COMMANDS = {
    "fly": {}, "ps": {"from": "abc"}, "tasks": {"from": -1}, "task": {"id": 5}, "why": {}, "start": {"names": "a"},
    "stop": {"names": 5}, "wait": {"names": [["a"]]}, "scale": {"counts": {"a": "many"}}, "apply": {"dry_run": 1},
    "explain": {"name": None}, "coverage": {"agent": "a", "paths": 5},
}  # fmt: skip


def test_an_operators_command_with_wrong_arguments_is_refused_and_says_what_is_wrong(running: Project) -> None:
    client = running.connect()
    assert client.hello("operator", role="operator")["accepted"]
    for command, args in BAD_COMMANDS.items():
        answer = client.ask("COMMAND", None, command=command, args=args)
        assert (answer["accepted"], answer["reason"]) == (False, "bad_payload"), command
        assert command in answer["result"]["detail"]
    answer = client.ask("COMMAND", None, command="explain", args={"name": "nobody"})
    assert answer["reason"] == "unknown_worker"
    assert healthy(running)


def test_a_client_that_never_reads_is_cut_off_and_others_are_served(running: Project) -> None:
    deaf = running.connect()
    deaf.hello("deaf")
    deaf.socket.setblocking(False)
    question = frame(
        source="deaf", event_type="TASK_CLAIM", task_id="no-such-task" * 8, payload={"details": "x" * 3000}
    )
    eventually(lambda: cut_off(deaf, question), "the client that never reads is cut off")
    assert healthy(running)


def cut_off(client: RawClient, question: bytes) -> bool:
    try:
        for _ in range(200):
            client.socket.send(question.replace(b'"x1"', b'"%s"' % os.urandom(8).hex().encode()) + b"\n")
    except BlockingIOError:
        return False
    except OSError:
        return True
    return False


FLOODER = """
from kortana.transport.outgoing import make_event
def flood(agent):
    agent.connect()
    while True:
        agent.send_event("INFO", target="nobody", payload={"n": "x" * 1000}, requires_ack=False)
def shout():
    while True:
        print("y" * 200, flush=True)
"""


def _open_all(project: Project, name: str, most: int) -> list[RawClient]:
    """Connections of one guest who closes none, until one is refused."""
    opened: list[RawClient] = []
    while len(opened) < most:
        client = project.connect()
        answer = client.hello(name)
        if not answer["accepted"]:
            assert answer["reason"] == "unavailable" and "too many connections" in answer["result"]["detail"]
            assert client.read() is None, "and is closed"
            break
        opened.append(client)
    return opened


def test_connections_that_a_guest_forgets_to_close_shut_nobody_else_out(running: Project) -> None:
    opened = _open_all(running, "leaky", 300)
    assert len(opened) == MAX_OF_ONE_AGENT
    agent = AgentInterface("leaky", running.folder, patience_s=0.0)
    with pytest.raises(KortanaUnavailable, match="too many connections"):
        agent.connect()
    assert healthy(running)


def test_where_few_files_may_be_open_people_and_workers_still_find_room(project: Project) -> None:
    """Guests under many names take what there is; the tree lives on, and is seen and stopped."""
    worker = {"entrypoint": "w:run", "ready": {"type": "hello"}}
    project.write({"workers": {"a": worker}, "tasks": TASKS}, w__py="def run(agent):\n    agent.receive()\n")
    words = [sys.executable, "-m", "kortana", "up", "-d"]
    limited = ["sh", "-c", 'ulimit -n 250; exec "$@"', "sh", *words]
    subprocess.run(limited, cwd=project.folder, env=project.env, check=True, timeout=PATIENCE_S)
    opened = [client for number in range(4) for client in _open_all(project, f"leaky{number}", 60)]
    assert 100 < len(opened) < 250
    project.call("restart", "a")
    assert project.worker("a")["ready"]
    for client in opened:
        client.close()
    eventually(lambda: project.connect().hello("witness")["accepted"], "there is room again")
    log = (project.folder / "data" / "supervision.jsonl").read_text()
    assert "core_died" not in log
    project.call("down")


def test_workers_that_flood_do_not_keep_others_from_their_work(project: Project) -> None:
    workers = {"flood": {"entrypoint": "floods:flood"}, "shout": {"command": ["yes", "y" * 100]}, "a": SLEEPER}
    project.write({"workers": workers, "tasks": TASKS}, floods__py=FLOODER)
    project.up()
    eventually(lambda: len(project.journal()) > 500, "the flood arrives")
    assert healthy(project)
    assert project.down()
    assert project.all_gone()


BROKEN = {
    "tabs": ("version: 1\nworkers:\n\ta: {}\n", 3, "tab"),
    "no version": ("workers: {}\n", 1, "version"),
    "unknown key": ("version: 1\nworkers:\n  a:\n    comand: [ls]\n", 4, "comand"),
    "a list for a map": ("version: 1\nworkers: [a, b]\n", 2, "map"),
    "a bad name": ("version: 1\nworkers:\n  'a b': {command: [ls]}\n", 3, "a b"),
    "a reserved name": ("version: 1\nworkers:\n  coordinator: {command: [ls]}\n", 3, "coordinator"),
    "two ways to start": ("version: 1\nworkers:\n  a: {command: [ls], entrypoint: 'x:y'}\n", 3, "entrypoint"),
    "a bad duration": ("version: 1\ncoordinator: {lease_ttl: soon}\n", 2, "soon"),
    "a missing variable": ("version: 1\nproject: ${NO_SUCH_VARIABLE:?say which}\n", 2, "say which"),
    "a duplicate key": ("version: 1\nversion: 1\n", 2, "version"),
    "a cycle": ("version: 1\ntasks:\n  - {id: a, depends_on: [b]}\n  - {id: b, depends_on: [a]}\n", 3, "a"),
    "an unknown peer": ("version: 1\nworkers:\n  a: {command: [ls], start_after: {b: ready}}\n", 3, "b"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_configuration_is_named_with_its_place_and_nothing_starts(project: Project, kind: str) -> None:
    text, line, word = BROKEN[kind]
    project.write(text)
    done = project.call("up", expect=2)
    assert f"kortana.yaml:{line}:" in done.stderr and word in done.stderr, done.stderr
    assert not (project.folder / "data").exists() or not list((project.folder / "data").rglob("*.jsonl"))


def test_all_mistakes_are_told_at_once(project: Project) -> None:
    project.write("version: 1\nworkers:\n  a: {comand: [ls]}\n  b: {command: 7}\ntasks:\n  - {title: x}\n")
    done = project.call("config", "check", expect=2)
    assert [f"kortana.yaml:{n}:" in done.stderr for n in (3, 4, 6)] == [True] * 3, done.stderr


@pytest.mark.parametrize("data_dir", [None, "state/k"])
def test_a_running_tree_is_seen_and_stopped_whatever_has_become_of_its_configuration(
    project: Project, data_dir: str | None
) -> None:
    """It is being edited, or names a variable that this shell does not have."""
    config = {"workers": {"a": SLEEPER}, "tasks": TASKS, **({"data_dir": data_dir} if data_dir else {})}
    project.write(config)
    project.up()
    text = (project.folder / "kortana.yaml").read_text()
    (project.folder / "kortana.yaml").write_text(text + "\nworkers: {a: {command: [x], env: {KEY: '${NOT_SET:?}'}}}\n")
    assert project.worker("a")["state"] == "running"
    for words in (["tasks", "list"], ["logs"], ["crashes"], ["stop", "a"], ["start", "a"], ["events"]):
        project.call(*words)
    for words in (["up"], ["apply"], ["config", "check"]):
        assert "kortana.yaml:" in project.call(*words, expect=2).stderr
    project.call("down")
    project.call("ps", expect=3)


def test_variables_that_are_no_utf8_reach_every_worker_as_they_are(project: Project) -> None:
    code = "import os\ndef run(agent):\n    print(os.environb[b'ODD'], flush=True)\n    agent.receive()\n"
    python = {"entrypoint": "odd:run", "ready": {"type": "log", "pattern": "xff"}}
    command = {"command": ["sh", "-c", "printf %s \"$ODD\" | od -An -tx1; exec sleep 1000"]}
    project.write(
        {"workers": {"p": python, "c": {**command, "ready": {"type": "log", "pattern": "61 ff 62"}}}}, odd__py=code
    )
    project.env["ODD"] = os.fsdecode(b"a\xffb")
    project.up()
    assert "b'a\\xffb'" in project.log("p") and "61 ff 62" in project.log("c")


def test_a_folder_whose_name_is_no_utf8_is_refused_by_name(project: Project, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/a\xffb"))
    odd.mkdir()
    (odd / "kortana.yaml").write_text("version: 1\nworkers: {}\n")
    done = subprocess.run(
        [sys.executable, "-m", "kortana", "up", "-d"], cwd=odd, env=project.env, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "no UTF-8; rename the folder" in done.stderr
    assert not (odd / "data").exists()


def test_a_start_that_fails_half_way_says_why_and_leaves_nothing(project: Project) -> None:
    project.write({"workers": {"w": {"command": ["sleep", "1000"]}}})
    (project.folder / "data" / "run" / "endpoint.json").mkdir(parents=True)
    done = project.call("up", "-d", expect=1)
    assert "cannot start" in done.stderr and "endpoint.json" in done.stderr and "Traceback" not in done.stderr
    assert project.all_gone()
    (project.folder / "data" / "run" / "endpoint.json").rmdir()
    project.up()
    assert project.running("w")
