"""Durable claim+complete cycles through real worker processes."""

import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.common import HERE, figure, spread, tree, wait_for


def measure(
    label: str,
    clients: int,
    in_flight: int,
    tasks: int = 0,
    take_next: bool = False,
    folders: int = 0,
    seconds: float = 5.0,
    durability: str = "fsync",
) -> float:
    """Cycles per second of one load. tasks: so many fill the graph beforehand; they stand by while tasks of other
    names are claimed, or are themselves what is claimed, the next one at a time (`take_next`). folders: each of them
    reserves one of so many, and who is next in line is so for the same one."""
    with tree(
        {"workers": {}, "journal": {"durability": durability}, "coordinator": {"max_leases_per_agent": 1000}}, up=False
    ) as t:
        env = {
            "BENCH_FOLDER": str(t.folder), "BENCH_IN_FLIGHT": str(in_flight), "BENCH_SECONDS": str(seconds),
            "BENCH_ROUND": "r", "PYTHONPATH": str(HERE.parent.parent),
        }  # fmt: skip
        if take_next:
            env["BENCH_NEXT"] = "1"
        if tasks:
            prefill(t.folder, tasks, folders)
        worker = {
            "entrypoint": "bench_worker:run", "cwd": str(HERE), "env": env, "replicas": clients,
            "ready": {"type": "hello"}, "liveness": {"heartbeat_timeout": 0},
        }  # fmt: skip
        import yaml

        config = yaml.safe_load((t.folder / "kortana.yaml").read_text())
        config["workers"] = {"w": worker}
        (t.folder / "kortana.yaml").write_text(yaml.safe_dump(config))
        t.call("up", "-d", "--wait-timeout", "300")
        wait_for(lambda: len(list(t.folder.glob("*.ready"))) == clients)
        if tasks >= 1_000_000:  # it goes on for some seconds after `up`, where the system has huge pages
            settled = time.monotonic() + 15
            while time.monotonic() < settled and not any(e["event"] == "huge_pages" for e in t.events()):
                time.sleep(0.2)
        (t.folder / "go").touch()
        wait_for(lambda: len(list(t.folder.glob("*.done"))) == clients, seconds + 120, 0.2)
        results = [json.loads(path.read_text()) for path in t.folder.glob("*.done")]
    rate = sum(r["cycles"] / r["seconds"] for r in results)
    figure(label, cycles_per_s=round(rate), clients=clients, in_flight=in_flight, tasks=tasks, durability=durability,
           round_ms=spread([ms for r in results for ms in r["ms"]]))  # fmt: skip
    return rate


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
    few, many = [], []
    for _ in range(3):  # by turns: the machine's own pace changes by a third from one minute to the next
        few.append(measure("cycles 4x64 beside 1000 tasks", 4, 64, tasks=1_000))
        many.append(measure("cycles 4x64 beside 1000000 tasks", 4, 64, tasks=1_000_000))
    figure("1000000 tasks against 1000", times=round(median(many) / median(few), 2))
    for tasks in (100_000, 1_000_000):
        measure(f"cycles 4x64, the next of {tasks} tasks", 4, 64, tasks=tasks, take_next=True)
    label = "cycles 16x1, the next of 100000 tasks in 100 folders"
    measure(label, 16, 1, tasks=100_000, take_next=True, folders=100)


if __name__ == "__main__":
    for label in sys.argv[1:] or [*LOADS, "graphs"]:
        if label == "graphs":
            graphs()
        else:
            measure(f"cycles {label}", *LOADS[label])
