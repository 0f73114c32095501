"""Builds the record of a death from all that is known at that moment, and seals it. Never raises, never waits."""

import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any
from zlib import crc32

import msgspec

from kortana.config.spec import WorkerSpec
from kortana.core.fingerprint import fingerprint_of
from kortana.core.secrets import Masker, is_secret_name
from kortana.core.verdict import Death, Verdict, verdict_of
from kortana.ports import Crashes, ProcessExit
from kortana.processes.evidence import EXCEPTION_MARK
from kortana.processes.reaping import own_child
from kortana.protocol.codec import encode_json
from kortana.protocol.timestamps import iso_from_ms

EVENTS = 20
Events = Callable[[str, int], list[dict[str, Any]]]
VERSION_MAX_AGE_S = 30.0
GIT_TIMEOUT_S = 5.0


class CodeVersions:
    """The git commit of each working directory, and whether it is dirty; looked up beside everything else."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, dict[str, Any] | None]] = {}
        self._lock = threading.Lock()

    def refresh(self, cwd: str) -> None:
        """Called at a worker's start: by its death the answer is there."""
        with self._lock:
            known = self._known.get(cwd)
            if known is not None and time.monotonic() - known[0] < VERSION_MAX_AGE_S:
                return
            self._known[cwd] = (time.monotonic(), known[1] if known else None)
        threading.Thread(target=self._look, args=(cwd,), name="code-version", daemon=True).start()

    def of(self, cwd: str) -> dict[str, Any] | None:
        known = self._known.get(cwd)
        return known[1] if known else None

    def _look(self, cwd: str) -> None:
        try:
            commit = _git(cwd, "rev-parse", "HEAD")
            dirty = bool(_git(cwd, "status", "--porcelain", "--untracked-files=no"))
        except (OSError, subprocess.SubprocessError):
            return
        self._known[cwd] = (time.monotonic(), {"commit": commit, "dirty": dirty})


def _git(cwd: str, *words: str) -> str:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    with own_child():
        done = subprocess.run(
            ["git", "-C", cwd, *words], capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True,
            env=environment,
        )  # fmt: skip
    return done.stdout.strip()


def _new_id(worker: str, incarnation: int) -> tuple[str, str]:
    """A record's ID, which sorts by time, and that time."""
    stamp = iso_from_ms(time.time_ns() // 1_000_000)
    digits = stamp[:19].replace("-", "").replace(":", "")
    return f"{digits}-{worker}-{incarnation}-{secrets.token_hex(2)}", stamp


def split_report(report: str) -> tuple[dict[str, Any] | None, str]:
    """What a Python worker sent on its crash pipe: its last exception, and the stacks as text."""
    exception, stacks = None, []
    for line in report.splitlines():
        if line.startswith(EXCEPTION_MARK):
            try:
                exception = msgspec.json.decode(line)["kortana_exception"]
            except (msgspec.MsgspecError, KeyError, TypeError):
                continue
        else:
            stacks.append(line)
    return exception, "\n".join(stacks).strip()


class CrashRecorder:
    """held: the tasks and tokens that an agent has leases on. events: the last ones to and from an agent."""

    def __init__(
        self, store: Crashes, events: Events, held: Callable[[str], list[dict[str, Any]]], log: Callable[..., None]
    ) -> None:
        self._store, self._events, self._held, self._log = store, events, held, log
        self.versions = CodeVersions()

    def begin(self, worker: str, incarnation: int) -> "Draft":
        """To be called before the death is told to anybody: what it held is known only until then."""
        crash_id, stamp = _new_id(worker, incarnation)
        return Draft(crash_id, stamp, worker, incarnation, self._held(worker))

    def seal(
        self,
        draft: "Draft",
        spec: WorkerSpec,
        env: dict[str, str],
        how: ProcessExit,
        death: Death,
        facts: dict[str, Any],
    ) -> Verdict:
        """Writes the record. facts: pid, uptime_s, ready, restart. Gives the verdict."""
        verdict = verdict_of(death)
        masker = Masker(tuple(value for name, value in env.items() if is_secret_name(name)))
        how_text = death.signal or f"code {death.code}"
        lines = [line.text for line in how.output]
        command = list(spec.command) if spec.command else spec.entrypoint or f"agent {spec.agent}"
        record = {
            "version": 1, "id": draft.id,
            "fingerprint": fingerprint_of(verdict.kind, how_text, death.exception, death.stacks, lines),
            "worker": draft.worker, "incarnation": draft.incarnation, "at": draft.at, **facts,
            "exit_code": death.code, "signal": death.signal, "core_dumped": how.core_dumped,
            "verdict": verdict.kind, "summary": verdict.summary, "evidence": list(verdict.evidence),
            "exception": death.exception, "stacks": death.stacks,
            "output": [{"at": line.at, "stream": line.stream, "text": line.text} for line in how.output],
            "task": draft.held[0] if draft.held else None, "tasks": draft.held,
            "events": self._events(draft.worker, EVENTS),
            "rusage": {
                "user_s": how.user_s, "system_s": how.system_s, "max_rss_bytes": how.max_rss_bytes,
                "samples": [msgspec.structs.asdict(sample) for sample in how.samples],
            },
            "swept": how.swept, "command": command, "cwd": spec.cwd,
            "config_hash": f"{crc32(encode_json(msgspec.to_builtins(spec))):08x}",
            "code_version": self.versions.of(spec.cwd), "environment_names": sorted(env),
        }  # fmt: skip
        try:
            self._store.write(masker.value(record))
        except OSError as error:
            self._log("crash_record_lost", worker=draft.worker, id=draft.id, error=str(error))
        return verdict


class Draft(msgspec.Struct, frozen=True):
    """A record that has its name."""

    id: str
    at: str
    worker: str
    incarnation: int
    held: list[dict[str, Any]]


def record_own_death(store: Crashes, events: Events, run_id: str, ended: int) -> str:
    """The supervisor of an earlier run did not end cleanly; written at the next `up`. Raises OSError."""
    crash_id, stamp = _new_id("kortana", 0)
    summary = "Kortana itself ended without a word (killed, or the machine went down); found at this start"
    store.write(
        {
            "version": 1, "id": crash_id, "fingerprint": "v1-kortana", "worker": "kortana", "incarnation": 0,
            "pid": None, "at": stamp, "uptime_s": None, "exit_code": None, "signal": None, "core_dumped": False,
            "verdict": "supervisor_died", "summary": summary,
            "evidence": [f"run {run_id} left its process file", f"processes that it had left: {ended}"],
            "exception": None, "stacks": "", "output": [], "task": None, "tasks": [],
            "events": events("supervisor", EVENTS), "rusage": None, "restart": None,
            "config_hash": None, "code_version": None, "environment_names": [],
        }
    )  # fmt: skip
    return crash_id
