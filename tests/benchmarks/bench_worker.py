"""The load of the throughput benchmark: a Kortana worker that claims and completes tasks."""

import itertools
import json
import os
import time
from collections import deque
from pathlib import Path

from kortana.protocol import event as ev
from kortana.transport.outgoing import make_event

GROUPS = 4
"""What is in flight goes in so many groups: while one is answered, the others are on their way."""


def _claim(name: str, task: str | None) -> object:
    return make_event(name, ev.TASK_CLAIM, task_id=task, payload={})


def _complete(name: str, task: str) -> object:
    return make_event(name, ev.TASK_UPDATE, task_id=task, payload={"status": "completed"})


def run(agent) -> None:
    """One round after the other: waits for its go file, runs cycles until the deadline, writes what it measured."""
    folder = Path(os.environ["BENCH_FOLDER"])
    (folder / f"{agent.name}.ready").touch()
    for number in itertools.count():
        while not (folder / f"go.{number}").exists():
            time.sleep(0.05)
        measured = _cycles(agent, number)
        (folder / f"{agent.name}.tmp").write_text(json.dumps(measured))
        (folder / f"{agent.name}.tmp").rename(folder / f"{agent.name}.{number}.done")


def _cycles(agent, number: int) -> dict[str, object]:
    in_flight, seconds = int(os.environ["BENCH_IN_FLIGHT"]), float(os.environ["BENCH_SECONDS"])
    client, name = agent._client, agent.name
    latencies: list[float] = []
    done = 0
    deadline = time.perf_counter() + seconds
    prefix = f"{name}.{number}"
    next_one = bool(os.environ.get("BENCH_NEXT"))
    size = max(1, in_flight // GROUPS)
    flying: deque[tuple[float, list, bool]] = deque()

    def claim() -> None:
        nonlocal done
        names = [f"{prefix}.{done + i}" for i in range(size)]
        done += size
        events = [_claim(name, None if next_one else task) for task in names]
        client.begin(events)
        flying.append((time.perf_counter(), events, True))

    for _ in range(in_flight // size):
        claim()
    cycles = 0
    while flying:
        began, events, is_claim = flying.popleft()
        answers = [client.finish(event) for event in events]
        if is_claim:
            held = [answer["task"]["id"] for answer in answers if answer["accepted"]]
            completions = [_complete(name, task) for task in held]
            client.begin(completions)
            flying.append((began, completions, False))
            continue
        assert all(answer["accepted"] for answer in answers)
        cycles += len(answers)
        latencies.append((time.perf_counter() - began) * 1000)
        if time.perf_counter() < deadline and answers:
            claim()
    elapsed = time.perf_counter() - (deadline - seconds)
    return {"cycles": cycles, "seconds": elapsed, "ms": latencies[:50_000]}
