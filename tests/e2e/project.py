"""A real Kortana in a folder of its own, and eyes for what it does."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from kortana.cli.app import app
from kortana.core.invariants import LeaseAudit
from kortana.processes.watched import Watched
from kortana.protocol.codec import decode_record

T = TypeVar("T")
PATIENCE_S = 60.0
AT_ONCE = {"backoff": {"initial": "0s", "max": "0s"}, "intensity": 100_000, "period": "1s"}
"""A worker that starts again at once, however often."""
BOUNDLESS = {"supervisor": {"intensity": 100_000, "period": "1s"}}
ROOT = Path(__file__).parents[2]
KORTANA = str(Path(sys.executable).with_name("kortana"))
"""The command as it is installed: `python -m` would look for modules in the project."""


def eventually(condition: Callable[[], T], what: str = "", patience_s: float = PATIENCE_S) -> T:
    """The first true value of `condition`; fails when there is none in time."""
    deadline = time.monotonic() + patience_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"never came: {what or condition}; last {found!r}"
        time.sleep(0.01)


class Project:
    """One folder with a kortana.yaml. Every process started below it carries a mark in its environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.env = {**os.environ, "E2E_MARK": self.mark, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        for name in ("KORTANA_AGENT", "KORTANA_TOKEN", "KORTANA_SOCKET"):
            self.env.pop(name, None)

    def write(self, config: dict[str, Any] | str, **files: str) -> None:
        text = config if isinstance(config, str) else yaml.safe_dump({"version": 1, **config}, sort_keys=False)
        (self.folder / "kortana.yaml").write_text(text)
        for name, body in files.items():
            (self.folder / name.replace("__", ".")).write_text(body)

    def call(self, *words: str, expect: int | None = 0, **kwargs: Any) -> subprocess.CompletedProcess[str]:
        """Runs `kortana WORDS` to its end."""
        done = subprocess.run(
            [KORTANA, *words],
            cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **kwargs,
        )  # fmt: skip
        assert expect is None or done.returncode == expect, (words, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *words: str) -> Any:
        """What `kortana WORDS --json` prints, by the command's own code in this process: to start an interpreter costs
        more than all the rest, and tests look again and again."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            command = [*words, "--json", "--file", str(self.folder / "kortana.yaml")]
            assert not app.main(command, prog_name="kortana", standalone_mode=False), (words, printed.getvalue())
        return json.loads(printed.getvalue())

    def up(self, *words: str, expect: int = 0) -> str:
        return self.call("up", "-d", *words, expect=expect).stdout

    def start_foreground(self, *words: str) -> subprocess.Popen[str]:
        return self.start("up", *words)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`kortana WORDS`, which goes on. Signals are as at a terminal, also where the tests are under nohup, or in a
        shell's background."""
        return subprocess.Popen(
            [KORTANA, *words], cwd=self.folder, env=self.env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=lambda: [signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGINT)],
        )  # fmt: skip

    def down(self) -> str:
        return self.call("down").stdout

    def worker(self, name: str) -> dict[str, Any]:
        return next(row for row in self.json("ps")["workers"] if row["name"] == name)

    def running(self, name: str, incarnation: int = 1) -> dict[str, Any] | None:
        row = self.worker(name)
        return row if row["state"] == "running" and row["incarnation"] >= incarnation else None

    def task(self, name: str) -> dict[str, Any]:
        return self.json("tasks", "show", name)

    def task_counts(self) -> dict[str, int]:
        """Status → number of tasks, from the snapshot on disk; none before the first one."""
        if not (self.folder / "data" / "task_graph.json").exists():
            return {}
        tasks = json.loads((self.folder / "data" / "task_graph.json").read_text())["tasks"]
        return dict(Counter(task["status"] for task in tasks.values()))

    def log(self, name: str) -> str:
        path = self.folder / "data" / "logs" / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def supervision(self, event: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        text = (self.folder / "data" / "supervision.jsonl").read_text()
        found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        wanted = {**fields, **({"event": event} if event else {})}
        return [item for item in found if all(item.get(key) == value for key, value in wanted.items())]

    def journal(self) -> list[dict[str, Any]]:
        path = self.folder / "data" / "coordination_events.jsonl"
        return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]

    def audit(self) -> LeaseAudit:
        """The journal, checked record by record for two holders and for tokens that do not grow."""
        audit = LeaseAudit()
        path = self.folder / "data" / "coordination_events.jsonl"
        for line in path.read_bytes().splitlines():
            audit.feed(decode_record(line))
        return audit

    def connect(self) -> "RawClient":
        return RawClient(self.folder)

    def processes(self) -> dict[int, str]:
        """Every process that carries the mark: pid → command line."""
        needle = f"E2E_MARK={self.mark}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if needle in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def all_gone(self) -> bool:
        return not self.processes()

    def pids(self) -> dict[str, int]:
        """`supervisor` and `launcher`."""
        endpoint = json.loads((self.folder / "data" / "run" / "endpoint.json").read_text())
        known = json.loads((self.folder / "data" / "run" / "processes.json").read_text())
        return {"supervisor": endpoint["pid"], "launcher": known["launcher"]["pid"]}

    def clean_up(self) -> None:
        """Ends what runs here still, in order where that is possible."""
        left = self.processes()
        trees = [Watched.of(pid) for pid, command in left.items() if "kortana up " in f"{command} "]
        for tree in filter(None, trees):
            tree.terminate()
            tree.ended(PATIENCE_S)
            tree.close()
        for pid in self.processes() if left else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class RawClient:
    """A socket and nothing else: sends what it is told."""

    def __init__(self, folder: Path) -> None:
        endpoint = json.loads((folder / "data" / "run" / "endpoint.json").read_text())
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(endpoint["socket"])
        self._lines = self.socket.makefile("rb")

    def send(self, **fields: Any) -> None:
        event = {
            "id": uuid.uuid4().hex, "timestamp": "2026-01-01T00:00:00.000Z", "source": "raw", "target": "coordinator",
            "event_type": "INFO", "task_id": None, "priority": "normal", "payload": {}, "requires_ack": True,
        }  # fmt: skip
        self.send_bytes(json.dumps({**event, **fields}).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hello(self, name: str, **payload: Any) -> dict[str, Any]:
        self.name = name
        self.send(source=name, event_type="HELLO", payload={"protocol": 1, "role": "agent", "pid": 0, **payload})
        return self.answer()

    def ask(self, event_type: str, task: str | None = None, **payload: Any) -> dict[str, Any]:
        self.send(source=self.name, event_type=event_type, task_id=task, payload=payload)
        return self.answer()

    def read(self) -> dict[str, Any] | None:
        """The next line; None at the end."""
        try:
            line = self._lines.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def answer(self) -> dict[str, Any]:
        """The payload of the next ACK."""
        while True:
            event = self.read()
            assert event is not None, "the connection closed"
            if event["event_type"] == "ACK":
                return event["payload"]

    def close(self) -> None:
        self._lines.close()
        self.socket.close()
