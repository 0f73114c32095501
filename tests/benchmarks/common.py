"""What the benchmarks share: a tree in a temp folder, and figures as JSON lines."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

HERE = Path(__file__).parent
KORTANA = [sys.executable, "-m", "kortana"]


def figure(name: str, **values: object) -> None:
    """One JSON line."""
    print(json.dumps({"bench": name, **values}), flush=True)


def spread(samples: list[float]) -> dict[str, float]:
    """Median, p50 and p99 of samples."""
    ordered = sorted(samples)
    return {
        "n": len(ordered),
        "median": round(statistics.median(ordered), 3),
        "p50": round(ordered[len(ordered) // 2], 3),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 3),
    }


def wait_for(condition: Callable[[], object], timeout_s: float = 120.0, pause_s: float = 0.005) -> object:
    """The first true value of `condition`. Raises TimeoutError."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(pause_s)
    raise TimeoutError("the benchmark waited in vain")


class Tree:
    """A running `kortana up`, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def call(self, *words: str, check: bool = True) -> str:
        done = subprocess.run([*KORTANA, *words], cwd=self.folder, capture_output=True, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"{words}: {done.stderr}")
        return done.stdout

    def ps(self) -> dict:
        return json.loads(self.call("ps", "--json"))

    def events(self) -> list[dict]:
        text = (self.folder / "data" / "supervision.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


class Rounds:
    """Rounds of the load that `bench_worker` makes."""

    def __init__(self, folder: Path, clients: int, seconds: float) -> None:
        self._folder, self._clients, self._seconds = folder, clients, seconds
        self._next = 0

    def next(self) -> list[dict]:
        """What each of the clients has measured in the next round."""
        number, self._next = self._next, self._next + 1
        (self._folder / f"go.{number}").touch()
        done = f"*.{number}.done"
        wait_for(lambda: len(list(self._folder.glob(done))) == self._clients, self._seconds + 120, 0.2)
        return [json.loads(path.read_text()) for path in self._folder.glob(done)]


def latencies(results: list[dict]) -> dict[str, float]:
    """The spread of a round's cycles, ms."""
    return spread([ms for result in results for ms in result["ms"]])


@contextmanager
def tree(config: dict, files: dict[str, str] | None = None, up: bool = True) -> Iterator[Tree]:
    """Writes the configuration, starts it, and takes it down."""
    base = os.environ.get("BENCH_DIR")
    with tempfile.TemporaryDirectory(prefix="kortana-bench-", dir=base) as name:
        folder = Path(name)
        (folder / "kortana.yaml").write_text(yaml.safe_dump({"version": 1, **config}))
        for path, text in (files or {}).items():
            (folder / path).write_text(text)
        running = Tree(folder)
        if up:
            running.call("up", "-d", "--wait-timeout", "120")
        try:
            yield running
        finally:
            running.call("down", check=False)
