"""Durable claim+complete cycles through real worker processes."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.common import HERE, Rounds, Tree, figure, latencies, tree, wait_for

PAIRS = 9
"""Of rounds that are compared."""


class Load:
    """A running tree and the workers that put it under load, one round at a time."""

    def __init__(self, running: Tree, label: str, about: dict[str, Any], seconds: float) -> None:
        self._rounds = Rounds(running.folder, about["clients"], seconds)
        self._label, self._about = label, about

    def measure(self) -> float:
        """Cycles per second of one round."""
        results = self._rounds.next()
        rate = sum(float(r["cycles"] / r["seconds"]) for r in results)
        figure(self._label, cycles_per_s=round(rate), **self._about, round_ms=latencies(results))
        return rate


@contextmanager
def load(
    label: str,
    clients: int,
    in_flight: int,
    tasks: int = 0,
    take_next: bool = False,
    folders: int = 0,
    seconds: float = 5.0,
    durability: str = "fsync",
) -> Iterator[Load]:
    """One kind of load. tasks: so many fill the graph beforehand; they stand by while tasks of other names are claimed,
    or are themselves what is claimed, the next one at a time (`take_next`). folders: each of them reserves one of so
    many, and who is next in line is so for the same one."""
    config: dict[str, Any] = {"journal": {"durability": durability}, "coordinator": {"max_leases_per_agent": 1000}}
    with tree({"workers": {}, **config}, up=False) as t:
        env = {
            "BENCH_FOLDER": str(t.folder), "BENCH_IN_FLIGHT": str(in_flight), "BENCH_SECONDS": str(seconds),
            "PYTHONPATH": str(HERE.parent.parent),
        }  # fmt: skip
        if take_next:
            env["BENCH_NEXT"] = "1"
        if tasks:
            prefill(t.folder, tasks, folders)
        worker = {
            "entrypoint": "bench_worker:run", "cwd": str(HERE), "env": env, "replicas": clients,
            "ready": {"type": "hello"}, "liveness": {"heartbeat_timeout": 0},
        }  # fmt: skip
        (t.folder / "kortana.yaml").write_text(json.dumps({"version": 1, "workers": {"w": worker}, **config}))
        t.call("up", "-d", "--wait-timeout", "300")
        wait_for(lambda: len(list(t.folder.glob("*.ready"))) == clients)
        if tasks >= 1_000_000:  # it goes on for some seconds after `up`, where the system has huge pages
            settled = time.monotonic() + 15
            while time.monotonic() < settled and not any(e["event"] == "huge_pages" for e in t.events()):
                time.sleep(0.2)
        about = {"clients": clients, "in_flight": in_flight, "tasks": tasks, "durability": durability}
        yield Load(t, label, about, seconds)


def measure(label: str, clients: int, in_flight: int, **kind: Any) -> float:
    """As `load`, with one round of it."""
    with load(label, clients, in_flight, **kind) as one:
        return one.measure()


def prefill(folder: Path, tasks: int, folders: int = 0) -> None:
    """Writes a journal of TASK_ADDs, as if an operator had sent them."""
    from kortana.adapters.files.journal import FileJournal
    from kortana.adapters.files.layout import DataLayout
    from kortana.core.commands import Submit
    from kortana.core.decide import decide
    from kortana.core.state import Limits, State
    from kortana.core.turn import Turn
    from kortana.protocol.codec import encode_json, encode_records
    from kortana.protocol.event import Event

    layout = DataLayout(folder / "data")
    layout.create()
    journal = FileJournal(layout.journal, durable=False, rotate_bytes=1 << 40)
    state = State(Limits())
    for begin in range(0, tasks, 5000):
        turn = Turn(state, 0.0, 1_700_000_000_000)
        for index in range(begin, min(begin + 5000, tasks)):
            spec: dict[str, Any] = {"priority": index % (folders or 100)}
            if folders:
                spec["paths"] = [f"src/{index % folders}/**"]
            event = Event(f"add{index}", turn.wall, "operator", "coordinator", "TASK_ADD", f"task-{index}", "normal",
                          spec, False)  # fmt: skip
            decide(turn, Submit(event, encode_json(event), 0))
        journal.commit(encode_records(turn.records), state.seq)
    journal.close()


LOADS = {
    "1x1": (1, 1), "4x1": (4, 1), "16x1": (16, 1), "1x64": (1, 64), "4x64": (4, 64)
}  # fmt: skip


def run() -> None:
    for label, (clients, in_flight) in LOADS.items():
        measure(f"cycles {label}", clients, in_flight)
    graphs()


def graphs() -> None:
    measure("cycles 4x64 beside 100000 tasks", 4, 64, tasks=100_000)
    against_few()
    for tasks in (100_000, 1_000_000):
        measure(f"cycles 4x64, the next of {tasks} tasks", 4, 64, tasks=tasks, take_next=True)
    label = "cycles 16x1, the next of 100000 tasks in 100 folders"
    measure(label, 16, 1, tasks=100_000, take_next=True, folders=100)


def against_few() -> None:
    """By turns, in pairs: the machine's own pace changes by a third from one minute to the next."""
    ratios = []
    with load("cycles 4x64 beside 1000000 tasks", 4, 64, tasks=1_000_000, seconds=3.0) as many:
        many.measure()  # warms up
        for _ in range(PAIRS):
            few = measure("cycles 4x64 beside 1000 tasks", 4, 64, tasks=1_000, seconds=3.0)
            ratios.append(many.measure() / few)
    figure("1000000 tasks against 1000", times=round(median(ratios), 2), pairs=[round(ratio, 2) for ratio in ratios])


if __name__ == "__main__":
    for label in sys.argv[1:] or [*LOADS, "graphs"]:
        if label == "graphs":
            graphs()
        elif label == "against_few":
            against_few()
        else:
            measure(f"cycles {label}", *LOADS[label])
