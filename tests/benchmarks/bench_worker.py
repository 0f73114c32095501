"""The load of the throughput benchmark: a Kortana worker that claims and completes tasks."""

import json
import os
import time
from pathlib import Path

from kortana.protocol import event as ev
from kortana.transport.client import make_event


def _claim(name: str, task: str | None) -> object:
    return make_event(name, ev.TASK_CLAIM, task_id=task, payload={})


def _complete(name: str, task: str) -> object:
    return make_event(name, ev.TASK_UPDATE, task_id=task, payload={"status": "completed"})


def run(agent) -> None:
    """Waits for the go file, then runs cycles until the deadline; writes what it measured."""
    folder = Path(os.environ["BENCH_FOLDER"])
    in_flight, seconds = int(os.environ["BENCH_IN_FLIGHT"]), float(os.environ["BENCH_SECONDS"])
    client, name = agent._client, agent.name
    (folder / f"{name}.ready").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    latencies = []
    done = 0
    deadline = time.perf_counter() + seconds
    prefix = f"{name}.{os.environ['BENCH_ROUND']}"
    while (began := time.perf_counter()) < deadline:
        names = [f"{prefix}.{done + i}" for i in range(in_flight)]
        claims = [_claim(name, None if os.environ.get("BENCH_NEXT") else task) for task in names]
        client.begin(claims)
        answers = [client.finish(event) for event in claims]
        held = [answer["task"]["id"] for answer in answers if answer["accepted"]]
        completions = [_complete(name, task) for task in held]
        client.begin(completions)
        for event in completions:
            assert client.finish(event)["accepted"]
        latencies.append((time.perf_counter() - began) * 1000)
        done += len(held)
        if not held:
            break
    elapsed = time.perf_counter() - (deadline - seconds)
    (folder / f"{name}.tmp").write_text(json.dumps({"cycles": done, "seconds": elapsed, "ms": latencies[:50_000]}))
    (folder / f"{name}.tmp").rename(folder / f"{name}.done")
    time.sleep(600)
