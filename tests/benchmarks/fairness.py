"""What a client that floods costs the others: their p99 beside it, and without it."""

import json
import os
import sys
from statistics import median

from tests.benchmarks.common import HERE, Rounds, figure, latencies, tree, wait_for

SECONDS = 3.0
PAIRS = 7
"""Of rounds that are compared, one without and one beside the flood: the machine's own pace changes meanwhile."""
POLITE = 4
FLOOD = """
import os, time
from pathlib import Path
from kortana.protocol import event as ev
from kortana.transport.outgoing import make_event

def run(agent):
    folder = Path(os.environ["BENCH_FOLDER"])
    (folder / f"{agent.name}.ready").touch()
    client = agent._client
    waves = []
    while True:
        if not (folder / "flood").exists():
            for wave in waves:
                for event in wave:
                    client.finish(event)
            waves = []
            time.sleep(0.05)
            continue
        wave = [make_event(agent.name, ev.HEARTBEAT) for _ in range(250)]
        client.begin(wave)
        waves.append(wave)
        if len(waves) == 8:
            for event in waves.pop(0):
                client.finish(event)
"""


def run() -> None:
    """One tree; the flood comes and goes."""
    with tree({"workers": {}}, {"flood.py": FLOOD}, up=False) as t:
        env = {
            "BENCH_FOLDER": str(t.folder), "BENCH_IN_FLIGHT": "1", "BENCH_SECONDS": str(SECONDS),
            "PYTHONPATH": f"{HERE.parent.parent}{os.pathsep}{t.folder}",
        }  # fmt: skip
        common = {"env": env, "ready": {"type": "hello"}, "liveness": {"heartbeat_timeout": 0}}
        workers = {
            "polite": {"entrypoint": "bench_worker:run", "cwd": str(HERE), "replicas": POLITE, **common},
            "flood": {"entrypoint": "flood:run", **common},
        }
        (t.folder / "kortana.yaml").write_text(json.dumps({"version": 1, "workers": workers}))
        t.call("up", "-d", "--wait-timeout", "120")
        wait_for(lambda: len(list(t.folder.glob("*.ready"))) == POLITE + 1)
        rounds, ratios = Rounds(t.folder, POLITE, SECONDS), []
        for _ in range(PAIRS):
            alone = latencies(rounds.next())
            (t.folder / "flood").touch()
            beside = latencies(rounds.next())
            (t.folder / "flood").unlink()
            figure(f"{POLITE} polite clients", alone_ms=alone, beside_a_flood_ms=beside)
            ratios.append(beside["p99"] / alone["p99"])
    pairs = [round(ratio, 2) for ratio in ratios]
    figure("p99 beside a flooding client", times=round(median(ratios), 2), pairs=pairs)


if __name__ == "__main__":
    sys.exit(run())
