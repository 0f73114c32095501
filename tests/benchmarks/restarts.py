"""How long until a killed worker's successor speaks, until its task is another's, and until many workers are up."""

import json
import os
import sys
import time
from pathlib import Path

from tests.benchmarks.common import Tree, figure, spread, tree, wait_for

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "60"))
COMMAND = "echo $$$$ > fifo; exec sleep 1000"
ENTRYPOINT = """
import os, time
def run(agent):
    with open("fifo", "w") as f: f.write(f"{os.getpid()}\\n")
    time.sleep(1000)
"""
FAST = {"backoff": {"initial": "0s", "max": "0s"}, "intensity": 100_000, "period": "1s"}


def _kills(t: Tree, fifo: int) -> list[float]:
    """Every worker writes its pid as its first line into a pipe that is read here."""
    samples = []
    pid = int(os.read(fifo, 100))
    for _ in range(ROUNDS):
        time.sleep(0.05)
        killed = time.perf_counter()
        os.kill(pid, 9)
        pid = int(os.read(fifo, 100))
        samples.append((time.perf_counter() - killed) * 1000)
    return samples


def successor() -> None:
    """kill -9 of a worker → the first line of its successor has been read."""
    tree_budget = {"intensity": 100_000, "period": "1s"}
    kinds = {"command": {"command": ["sh", "-c", COMMAND]}, "entrypoint": {"entrypoint": "quick:run"}}
    for kind, how in kinds.items():
        config = {"workers": {"w": {**how, **FAST}}, "supervisor": tree_budget}
        with tree(config, {"quick.py": ENTRYPOINT}, up=False) as t:
            os.mkfifo(t.folder / "fifo")
            fifo = os.open(t.folder / "fifo", os.O_RDWR)
            t.call("up", "-d")
            figure(f"kill to successor's first line, {kind}", ms=spread(_kills(t, fifo)))
            os.close(fifo)


HOLDER = """
import os, time
def run(agent):
    while True:
        task = agent.claim_task("t", wait=600)
        if task:
            with open("held.tmp", "w") as f: f.write(f"{os.getpid()} {time.time_ns()}")
            os.rename("held.tmp", "held")
            time.sleep(1000)
"""


def takeover() -> None:
    """kill -9 of the holder of a task → the task granted to a worker that waits for it, as that worker sees it."""
    workers = {name: {"entrypoint": "holder:run", **FAST} for name in ("a", "b", "c")}
    limits = {"supervisor": {"intensity": 100_000, "period": "1s"}, "coordinator": {"max_attempts": 1000}}
    with tree({"workers": workers, "tasks": [{"id": "t"}], **limits}, {"holder.py": HOLDER}) as t:
        samples = []
        held = t.folder / "held"
        for _ in range(ROUNDS):
            wait_for(held.exists)
            pid = int(held.read_text().split()[0])
            held.unlink()
            time.sleep(0.1)
            killed = time.time_ns()
            os.kill(pid, 9)
            wait_for(held.exists)
            samples.append((int(held.read_text().split()[1]) - killed) / 1e6)
    figure("kill to task claimed by a waiting worker", ms=spread(samples))


def start_many() -> None:
    """From the first to the last worker's start (and readiness) in the supervision log."""
    sleeper = {"command": ["sleep", "1000"]}
    ready = {"entrypoint": "idle:run", "ready": {"type": "hello"}}
    idle = {"idle.py": "import time\ndef run(agent):\n    time.sleep(1000)\n"}
    for kind, how in (("command", sleeper), ("entrypoint", ready)):
        for count in (10, 50, 200):
            with tree({"workers": {"w": {**how, "replicas": count}}}, idle) as t:
                events = [e for e in t.events() if e.get("worker")]
                begin = min(e["monotonic_s"] for e in events if e["event"] == "starting")
                end = max(e["monotonic_s"] for e in events if e["event"] == "running")
                figure(f"start of {count} {kind} workers", seconds=round(end - begin, 3))


def footprint() -> None:
    """PSS of supervisor, launcher and workers, and CPU per idle minute, with 50 workers."""
    config = {"workers": {"c": {"command": ["sleep", "1000"], "replicas": 25},
                          "e": {"entrypoint": "idle:run", "replicas": 25}}}  # fmt: skip
    with tree(config, {"idle.py": "import time\ndef run(agent):\n    time.sleep(1000)\n"}) as t:
        rows = t.ps()["workers"]
        run_folder = t.folder / "data" / "run"
        supervisor = json.loads((run_folder / "endpoint.json").read_text())["pid"]
        launcher = json.loads((run_folder / "processes.json").read_text())["launcher"]["pid"]
        pythons = [row["pid"] for row in rows if row["name"].startswith("e")]
        time.sleep(2)
        before = _cpu_s(supervisor) + _cpu_s(launcher)
        seconds = 10
        time.sleep(seconds)
        used = _cpu_s(supervisor) + _cpu_s(launcher) - before
        figure("footprint with 50 workers", supervisor_pss_mb=_pss_mb(supervisor), launcher_pss_mb=_pss_mb(launcher),
               python_worker_pss_mb=round(sum(map(_pss_mb, pythons)) / len(pythons), 1),
               idle_cpu_percent=round(100 * used / seconds, 3))  # fmt: skip


def _pss_mb(pid: int) -> float:
    line = next(x for x in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if x.startswith("Pss:"))
    return round(int(line.split()[1]) / 1024, 1)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


BENCHES = {"successor": successor, "takeover": takeover, "start": start_many, "footprint": footprint}


def run() -> None:
    for bench in BENCHES.values():
        bench()


if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHES:
        BENCHES[name]()
