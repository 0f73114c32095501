"""A successor that the launcher starts by itself in the moment of a death; nobody hears of it before its release."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from kortana.processes.black_box import entries
from kortana.processes.messages import Exited, LogMatched, NotRunning, Started, StartFailed, Withdrawn
from tests.e2e.bench import Bench
from tests.e2e.project import AT_ONCE, BOUNDLESS, Project, eventually

ALSO_WITHOUT_CGROUPS = True


def _first(bench: Bench, command: str = "exec sleep 1000") -> int:
    bench.link.start(bench.spec(command))
    started = bench.next()
    assert isinstance(started, Started)
    return started.pid


def _is_quiet(bench: Bench) -> bool:
    """The launcher does one thing after the other, and has told nothing before its answer to this."""
    bench.link.kill_tree("nobody", 0)
    return isinstance(bench.next(), NotRunning)


@contextmanager
def _standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _records(project: Project) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((project.folder / "data" / "crashes").glob("*.json"))]


def test_it_begins_at_the_death_and_is_told_of_at_its_release(bench: Bench) -> None:
    pid = _first(bench)
    bench.appoint(bench.spec(incarnation=2), [0])
    assert _is_quiet(bench) and not bench.ran()
    os.kill(pid, signal.SIGKILL)
    exited = bench.next()
    assert isinstance(exited, Exited) and exited.incarnation == 1
    eventually(bench.ran, "its program runs")
    assert _is_quiet(bench)
    bench.link.release("w", 2)
    started = bench.next()
    assert isinstance(started, Started) and started.incarnation == 2
    os.kill(started.pid, signal.SIGTERM)
    exited = bench.next()
    assert isinstance(exited, Exited) and exited.incarnation == 2, "it is as any other now"


@pytest.mark.parametrize("code", [0, 75])
def test_it_does_not_begin_after_these_codes(bench: Bench, code: int) -> None:
    bench.link.start(bench.spec(f"read x < go; exit {code}"))
    os.mkfifo(bench.folder / "go")
    assert isinstance(bench.next(), Started)
    bench.appoint(bench.spec(incarnation=2), [0, 75])
    (bench.folder / "go").write_text("\n")
    assert isinstance(bench.next(), Exited)
    assert _is_quiet(bench) and not bench.ran()
    bench.link.release("w", 2)
    started = bench.next()
    assert isinstance(started, Started) and started.incarnation == 2, "it is wanted all the same"
    eventually(bench.ran, "its program runs")


def test_many_that_die_at_once_are_told_before_any_process_is_forked_for_one(bench: Bench) -> None:
    pids = {}
    for number in range(8):
        name = f"w{number}"
        bench.link.start(bench.spec("exec sleep 1000", worker=name))
        started = bench.next()
        assert isinstance(started, Started)
        pids[name] = started.pid
        bench.appoint(bench.spec(f"touch {name}; exec sleep 1000", worker=name, incarnation=2), [])
    assert _is_quiet(bench)
    os.kill(bench.link.pid, signal.SIGSTOP)
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
        eventually(lambda pid=pid: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE, "it is dead")  # type: ignore[misc]
    os.kill(bench.link.pid, signal.SIGCONT)
    told = [bench.next() for _ in pids]
    assert {type(message) for message in told} == {Exited} and all(message.kept for message in told)
    for name in pids:
        eventually((bench.folder / name).exists, "its successor runs")
    assert len(list(entries(bench.black_box))) == len(pids), "they are owed"
    for name in pids:
        bench.link.release(name, 2)
        assert isinstance(bench.next(), Started)
    eventually(lambda: bench.black_box.read_bytes() == b"", "nothing is owed any more")


def test_it_begins_once_the_whole_tree_before_it_is_gone(bench: Bench) -> None:
    pid = _first(bench, "setsid sh -c 'echo $$ > left; exec sleep 1000' & exec sleep 1000")
    eventually(lambda: (bench.folder / "left").exists() and (bench.folder / "left").read_text(), "it has a grandchild")
    left = int((bench.folder / "left").read_text())
    look = f"case $(cut -d' ' -f3 /proc/{left}/stat 2> /dev/null) in ''|Z|X) ;; *) touch met;; esac"
    bench.appoint(bench.spec(f"{look}; touch ran; exec sleep 1000", incarnation=2), [])
    os.kill(pid, signal.SIGKILL)
    eventually(bench.ran, "its program runs")
    assert not (bench.folder / "met").exists()


def test_what_is_known_of_the_death_is_on_the_disk_before_it_begins(bench: Bench) -> None:
    pid = _first(bench, "echo 'PASSWORD=swordfish out of luck'; exec sleep 1000")
    bench.appoint(bench.spec("cp deaths.jsonl seen; touch ran; exec sleep 1000", incarnation=2), [])
    log = bench.folder / "w.log"
    eventually(lambda: log.exists() and "out of luck" in log.read_text(), "its output was read")
    os.kill(pid, signal.SIGKILL)
    exited = bench.next()
    eventually(bench.ran, "its program runs")
    [entry] = entries(bench.folder / "seen")
    assert (entry.name, entry.incarnation, entry.pid) == (exited.kept, 1, pid)
    record = entry.record()
    assert (record["signal"], record["verdict"], record["swept"]) == ("SIGKILL", "killed", 0)
    assert [line["text"] for line in record["output"]] == ["PASSWORD=*** out of luck"]
    assert exited.exit.output[0].text == "PASSWORD=swordfish out of luck", "the supervisor masks by itself"
    bench.link.release("w", 2)
    assert isinstance(bench.next(), Started)
    eventually(lambda: bench.black_box.read_bytes() == b"", "nothing is owed any more")


def test_an_end_that_is_no_crash_is_not_kept_and_is_followed_too(bench: Bench) -> None:
    bench.link.start(bench.spec("read x < go; exit 0"))
    os.mkfifo(bench.folder / "go")
    assert isinstance(bench.next(), Started)
    bench.appoint(bench.spec(incarnation=2), [], normal=(0,))
    (bench.folder / "go").write_text("\n")
    exited = bench.next()
    assert isinstance(exited, Exited) and exited.kept is None
    eventually(bench.ran, "its program runs")
    assert bench.black_box.read_bytes() == b""


def test_where_that_cannot_be_kept_it_begins_at_its_release(tmp_path: Path) -> None:
    bench = Bench(tmp_path, black_box="/dev/full")
    try:
        pid = _first(bench)
        bench.appoint(bench.spec(incarnation=2), [])
        os.kill(pid, signal.SIGKILL)
        exited = bench.next()
        assert isinstance(exited, Exited) and exited.kept is None
        assert _is_quiet(bench) and not bench.ran()
        bench.link.release("w", 2)
        assert isinstance(bench.next(), Started)
        eventually(bench.ran, "its program runs")
    finally:
        bench.link.close()


def test_nobody_follows_those_that_end_with_their_launcher(bench: Bench) -> None:
    for number in range(5):
        name = f"w{number}"
        bench.link.start(bench.spec("exec sleep 1000", worker=name))
        assert isinstance(bench.next(), Started)
        bench.appoint(bench.spec("touch ran; exec sleep 1000", worker=name, incarnation=2), [])
    assert bench.link.close()
    assert not bench.ran()


def test_what_is_discarded_before_the_death_does_not_begin(bench: Bench) -> None:
    pid = _first(bench)
    bench.appoint(bench.spec(incarnation=2), [])
    bench.link.discard("w", 2)
    assert _is_quiet(bench), "both are done: where there are many orders, a death may come between two of them"
    os.kill(pid, signal.SIGKILL)
    assert isinstance(bench.next(), Exited)
    assert _is_quiet(bench) and not bench.ran()
    bench.link.release("w", 2)
    assert isinstance(bench.next(), StartFailed)


def test_what_is_discarded_after_the_death_ends_with_all_it_started(bench: Bench) -> None:
    pid = _first(bench)
    program = "setsid sh -c 'echo $$ > left.new; mv left.new left; exec sleep 1000' & touch ran; exec sleep 1000"
    bench.appoint(bench.spec(program, incarnation=2, ready_pattern="never"), [])
    os.kill(pid, signal.SIGKILL)
    assert isinstance(bench.next(), Exited)
    eventually(lambda: bench.ran() and (bench.folder / "left").exists(), "it has a grandchild")
    left = int((bench.folder / "left").read_text())
    bench.link.discard("w", 2)
    bench.link.start(bench.spec("exec sleep 1000", incarnation=2))
    withdrawn, started = bench.next(), bench.next()
    assert isinstance(withdrawn, Withdrawn) and withdrawn.incarnation == 2
    assert isinstance(started, Started) and started.incarnation == 2 and started.pid != withdrawn.pid
    eventually(lambda: not Path(f"/proc/{left}").exists(), "all it started is gone")
    eventually(lambda: started.pid in bench.children() and len(bench.children()) <= 2, "and so is it")
    assert _is_quiet(bench), "nothing more is told of the one that was discarded"


def test_one_that_dies_unheard_is_told_whole_at_its_release(bench: Bench) -> None:
    pid = _first(bench)
    bench.appoint(bench.spec("echo ready; touch ran; exit 3", incarnation=2, ready_pattern="ready"), [])
    os.kill(pid, signal.SIGKILL)
    assert isinstance(bench.next(), Exited)
    eventually(lambda: bench.ran() and len(bench.children()) <= 1, "it has come and gone")
    assert _is_quiet(bench)
    bench.link.release("w", 2)
    told: list[Any] = [bench.next() for _ in range(3)]
    assert [type(message) for message in told] == [Started, LogMatched, Exited]
    assert {message.incarnation for message in told} == {2} and told[2].exit.code == 3


def test_one_that_cannot_begin_says_why_at_its_release(bench: Bench) -> None:
    pid = _first(bench)
    bench.appoint(bench.spec(cwd=str(bench.folder / "nowhere"), incarnation=2), [])
    os.kill(pid, signal.SIGKILL)
    assert isinstance(bench.next(), Exited)
    assert _is_quiet(bench)
    bench.link.release("w", 2)
    failed = bench.next()
    assert isinstance(failed, StartFailed) and "nowhere" in failed.error


def test_nothing_begins_after_one_that_never_began(bench: Bench) -> None:
    bench.appoint(bench.spec(incarnation=2), [])
    bench.link.start(bench.spec(cwd=str(bench.folder / "nowhere")))
    assert isinstance(bench.next(), StartFailed)
    assert _is_quiet(bench) and not bench.ran()


def test_it_goes_with_its_launcher(bench: Bench) -> None:
    pid = _first(bench)
    bench.appoint(bench.spec("echo $$ > pid; touch ran; exec sleep 1000", incarnation=2), [])
    os.kill(pid, signal.SIGKILL)
    assert isinstance(bench.next(), Exited)
    eventually(bench.ran, "its program runs")
    successor = int((bench.folder / "pid").read_text())
    assert bench.link.close()
    eventually(lambda: not Path(f"/proc/{successor}").exists(), "it is gone")


def test_one_that_speaks_before_it_is_heard_of_is_let_wait(project: Project) -> None:
    """The supervisor stands still, then finds its HELLO and the death before it at once, in any order."""
    code = (
        "import os, time\nfrom kortana import AgentInterface\n"
        "open('began', 'w').write('x')\n"
        "task = AgentInterface().claim_task('t', wait=600)\n"
        "with open('new', 'w') as f: f.write(f'{os.getpid()} {task.token}')\nos.rename('new', 'has')\n"
        "time.sleep(1000)\n"
    )
    (project.folder / "one.py").write_text(code)
    config = {"workers": {"w": {"command": [sys.executable, "one.py"], **AT_ONCE}}, "tasks": [{"id": "t"}], **BOUNDLESS}
    project.write({**config, "coordinator": {"max_attempts": 1000}})
    project.up()
    supervisor = project.pids()["supervisor"]
    has, began, tokens = project.folder / "has", project.folder / "began", []
    for number in range(1, 11):
        eventually(has.exists, "it has the task")
        eventually(lambda number=number: project.running("w", number), "its successor is appointed")  # type: ignore[misc]
        pid, token = has.read_text().split()
        tokens.append(int(token))
        has.unlink()
        began.unlink()
        with _standing_still(supervisor):
            os.kill(int(pid), signal.SIGKILL)
            eventually(began.exists, "its successor has begun")
    assert tokens == sorted(set(tokens))
    project.down()
    assert project.all_gone()


def test_a_worker_that_is_stopped_while_it_crashes_stays_stopped(project: Project) -> None:
    program = "trap '' TERM; echo $$$$ > new; mv new pid; exec sleep 1000"
    worker = {"command": ["sh", "-c", program], **AT_ONCE, "stop": {"grace": "50ms"}}
    project.write({"workers": {"w": worker}, **BOUNDLESS})
    project.up()
    eventually((project.folder / "pid").exists, "its program runs")
    for _ in range(8):
        before = project.worker("w")["pid"]
        os.kill(before, signal.SIGKILL)
        project.call("stop", "w")
        eventually(lambda: project.worker("w")["state"] == "stopped", "it is at rest")
        for pid in (before, int((project.folder / "pid").read_text())):
            eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists(), "it is gone")  # type: ignore[misc]
        project.call("start", "w")
        eventually(lambda: project.worker("w")["state"] == "running", "it runs")
    project.down()
    assert project.all_gone()


def test_a_death_that_nobody_lived_to_record_has_its_record_after_the_next_up(project: Project) -> None:
    """The supervisor stands still while a worker dies and is followed, and is killed then."""
    program = "echo $$$$ > new; mv new pid; exec sleep 1000"
    project.write({"workers": {"w": {"command": ["sh", "-c", program], **AT_ONCE}}, **BOUNDLESS})
    project.up()
    first = int(project.worker("w")["pid"])
    supervisor = project.pids()["supervisor"]
    eventually((project.folder / "pid").exists, "its program runs")
    with _standing_still(supervisor):
        os.kill(first, signal.SIGKILL)
        eventually(lambda: int((project.folder / "pid").read_text()) != first, "its successor runs")
        assert _records(project) == []
        os.kill(supervisor, signal.SIGKILL)
    eventually(project.all_gone, "everything is gone")
    project.up()
    recorded = {record["worker"]: record for record in _records(project)}
    assert set(recorded) == {"kortana", "w"}
    assert (recorded["w"]["pid"], recorded["w"]["signal"], recorded["w"]["incarnation"]) == (first, "SIGKILL", 1)
    assert [event["crash_id"] for event in project.supervision("crash_record_recovered")] == [recorded["w"]["id"]]
    shown = project.call("crashes", "show", recorded["w"]["id"]).stdout
    assert "somebody killed it with SIGKILL" in shown
    project.down()
    project.up()
    assert len(_records(project)) == 2, "once"
    project.down()
    assert not (project.folder / "data" / "run" / "deaths.jsonl").exists()
