"""What a client that floods costs the others: their p99 beside it, and without it."""

import json
import os
import sys

from tests.benchmarks.common import HERE, figure, spread, tree, wait_for

SECONDS = 5.0
POLITE = 4
FLOOD = """
import os, time
from pathlib import Path
from kortana.protocol import event as ev
from kortana.transport.outgoing import make_event

def run(agent):
    folder = Path(os.environ["BENCH_FOLDER"])
    (folder / f"{agent.name}.ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    client = agent._client
    waves = []
    while True:
        wave = [make_event(agent.name, ev.HEARTBEAT) for _ in range(250)]
        client.begin(wave)
        waves.append(wave)
        if len(waves) == 8:
            for event in waves.pop(0):
                client.finish(event)
"""


def polite_p99(floods: int) -> float:
    """p99 in ms of a claim and completion of a polite client."""
    with tree({"workers": {}}, {"flood.py": FLOOD}, up=False) as t:
        env = {
            "BENCH_FOLDER": str(t.folder), "BENCH_IN_FLIGHT": "1", "BENCH_SECONDS": str(SECONDS), "BENCH_ROUND": "r",
            "PYTHONPATH": f"{HERE.parent.parent}{os.pathsep}{t.folder}",
        }  # fmt: skip
        common = {"env": env, "ready": {"type": "hello"}, "liveness": {"heartbeat_timeout": 0}}
        workers = {"polite": {"entrypoint": "bench_worker:run", "cwd": str(HERE), "replicas": POLITE, **common}}
        if floods:
            workers["flood"] = {"entrypoint": "flood:run", "replicas": floods, **common}
        (t.folder / "kortana.yaml").write_text(json.dumps({"version": 1, "workers": workers}))
        t.call("up", "-d", "--wait-timeout", "120")
        wait_for(lambda: len(list(t.folder.glob("*.ready"))) == POLITE + floods)
        (t.folder / "go").touch()
        wait_for(lambda: len(list(t.folder.glob("*.done"))) == POLITE, SECONDS + 120, 0.2)
        results = [json.loads(path.read_text()) for path in t.folder.glob("polite*.done")]
    times = spread([ms for result in results for ms in result["ms"]])
    figure(f"{POLITE} polite clients beside {floods} flooding", cycle_ms=times)
    return float(times["p99"])


def run() -> None:
    alone, beside = polite_p99(0), polite_p99(1)
    figure("p99 beside a flooding client", times=round(beside / alone, 2))


if __name__ == "__main__":
    sys.exit(run())
