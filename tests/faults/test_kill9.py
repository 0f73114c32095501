"""kill -9 at random instants, and at each step of commit, rotation, snapshot and recovery: nothing is lost."""

import os
import random
import select
import signal
import time
from pathlib import Path

import pytest

from tests.faults import driver

KILLS = 1000 if os.environ.get("KORTANA_LONG") else 50
SEED = int(os.environ.get("KORTANA_SEED", "1"))


def run_and_kill(witness: driver.Witness, seed: int, after_s: float | None, before=lambda: None) -> None:
    """Forks a life on the folder; kills it after so long, or waits until it has killed itself."""
    pid, read_end = driver.fork_life(witness.folder, seed, before)
    deadline = time.monotonic() + (after_s if after_s is not None else 60.0)
    data = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([read_end], [], [], left)[0]:
            chunk = os.read(read_end, 1 << 16)
            if not chunk:
                break
            data += chunk
    os.kill(pid, signal.SIGKILL)
    while chunk := os.read(read_end, 1 << 16):
        data += chunk
    os.close(read_end)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f"seed {seed}: the driver failed by itself"
    witness.saw(data)


def test_random_instants(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    witness = driver.Witness(tmp_path)
    for kill in range(KILLS):
        if kill % 100 == 0:
            witness = driver.Witness(tmp_path / str(kill))
        seed = draw.randrange(1 << 30)
        run_and_kill(witness, seed, draw.uniform(0.005, 0.08))
        try:
            witness.check()
        except BaseException as error:
            raise AssertionError(f"KORTANA_SEED={SEED}, kill {kill}: {error!r}") from error
    print(f"{KILLS} kills, {len(witness.acknowledged)} acknowledged in the last life, 0 lost")
    assert witness.acknowledged


@pytest.mark.parametrize("when", ["before", "midst", "after"])
def test_each_step(tmp_path: Path, when: str) -> None:
    steps = 300 if os.environ.get("KORTANA_LONG") else 40
    witness = driver.Witness(tmp_path)
    for call in range(1, steps + 1):
        run_and_kill(witness, SEED * 1000 + call, None, driver.die_at(call, when))
        try:
            witness.check()
        except BaseException as error:
            raise AssertionError(f"killed {when} system call {call}: {error!r}") from error
