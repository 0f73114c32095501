"""Recovery of a long journal, with and without a checkpoint, and `kortana agent claim` as a whole process."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout
from kortana.adapters.files.recovery import recover
from kortana.adapters.files.snapshots import FileSnapshots
from kortana.core.checkpoint import rest_of
from kortana.core.commands import AgentUp, Submit
from kortana.core.decide import decide
from kortana.core.state import Limits, State
from kortana.core.turn import Turn
from kortana.core.views import agents_view
from kortana.ports import Snapshot
from kortana.protocol.codec import encode_json, encode_records
from kortana.protocol.event import Event
from tests.benchmarks.common import KORTANA, figure, spread, tree

RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
TASKS = 2000


def _event(turn: Turn, number: int, source: str, kind: str, task: str, payload: dict[str, object]) -> Submit:
    event = Event(f"e{number}", turn.wall, source, "coordinator", kind, task, "normal", payload, True)
    return Submit(event, encode_json(event), 1)


def make_journal(layout: DataLayout) -> State:
    """A life of claims, heartbeats and releases over a graph of tasks: RECORDS records, as a real tree writes them."""
    state = State(Limits())
    journal = FileJournal(layout.journal, durable=False, rotate_bytes=64 << 20)
    journal.open()
    number = 0
    agents = [f"agent-{n}" for n in range(8)]
    while state.seq < RECORDS:
        turn = Turn(state, 0.0, 1_700_000_000_000 + number)
        if state.seq == 0:
            for agent in agents:
                decide(turn, AgentUp(agent, 1, 1, True))
            for task in range(TASKS):
                number += 1
                decide(turn, _event(turn, number, "operator", "TASK_ADD", f"task-{task}", {"title": f"Task {task}"}))
        for _ in range(500):
            number += 3
            agent, task = agents[number % 8], f"task-{number % TASKS}"
            decide(turn, _event(turn, number, agent, "TASK_CLAIM", task, {}))
            decide(turn, _event(turn, number + 1, agent, "HEARTBEAT", task, {"details": "at work"}))
            decide(turn, _event(turn, number + 2, agent, "TASK_RELEASE", task, {}))
        journal.commit(encode_records(turn.records), state.seq)
    journal.close()
    return state


def recovery() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        layout = DataLayout(Path(folder) / "data")
        layout.create()
        state = make_journal(layout)
        size = sum(path.stat().st_size for path in layout.root.glob("*.jsonl"))
        began = time.perf_counter()
        recover(layout, FileJournal(layout.journal), Limits())
        figure(
            "recovery without a checkpoint",
            records=state.seq,
            bytes=size,
            seconds=round(time.perf_counter() - began, 3),
        )
        state.pages.begin()
        state.pages.step(1 << 30)
        snapshot = Snapshot(
            state.seq, state.recorded_at, state.pages.texts(), agents_view(state), encode_json(rest_of(state))
        )
        FileSnapshots(layout).write(snapshot)
        began = time.perf_counter()
        recover(layout, FileJournal(layout.journal), Limits())
        figure("recovery with a checkpoint", records=state.seq, seconds=round(time.perf_counter() - began, 3))


def command_line(rounds: int = 40) -> None:
    """`kortana agent claim` through the installed script, beside `python -c pass`, by turns."""
    script = Path(sys.executable).parent / "kortana"
    command = [str(script)] if script.exists() else KORTANA
    with tree(
        {
            "workers": {},
            "coordinator": {"max_leases_per_agent": 1000},
            "tasks": [{"id": f"t{n}"} for n in range(rounds + 1)],
        }
    ) as t:
        claims, bare = [], []
        for _ in range(rounds):
            began = time.perf_counter()
            subprocess.run([*command, "agent", "claim", "--as", "me"], cwd=t.folder, check=True, capture_output=True)
            claims.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True, capture_output=True)
            bare.append((time.perf_counter() - began) * 1000)
    mine, theirs = spread(claims), spread(bare)
    figure(
        "kortana agent claim, whole process",
        ms=mine,
        python_ms=theirs,
        times=round(mine["median"] / theirs["median"], 2),
    )


def run() -> None:
    recovery()
    command_line()


if __name__ == "__main__":
    run()
