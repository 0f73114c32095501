"""Builds the record of a death from all that is known at that moment, and seals it. Never raises, never waits long."""

import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any
from zlib import crc32

import msgspec
import pykka

from kortana.actors.code_versions import CodeVersions
from kortana.config.spec import WorkerSpec
from kortana.core.fingerprint import fingerprint_of
from kortana.core.secrets import Masker, is_secret_name
from kortana.core.verdict import Death, Verdict, verdict_of
from kortana.ports import Crashes, ProcessExit
from kortana.protocol.timestamps import iso_from_ms

EVENTS = 20
Events = Callable[[str, int], list[dict[str, Any]]]
SEAL_S = 0.1
"""A restart waits no longer for the record of the death before it."""
MAX_UNSEALED = 100
SYNC_AFTER_S = 0.1
"""By then a successor runs; and a storm of crashes is a few syncs, which the journal's would wait for."""


def _new_id(worker: str, incarnation: int) -> tuple[str, str]:
    """A record's ID, which sorts by time, and that time."""
    stamp = iso_from_ms(time.time_ns() // 1_000_000)
    digits = stamp[:19].replace("-", "").replace(":", "")
    return f"{digits}-{worker}-{incarnation}-{secrets.token_hex(2)}", stamp


class CrashRecorder:
    """held: the tasks and tokens that an agent has leases on. events: the last ones to and from an agent."""

    def __init__(
        self, store: Crashes, events: Events, held: Callable[[str], list[dict[str, Any]]], log: Callable[..., None]
    ) -> None:
        self._store, self._events, self._held, self._log = store, events, held, log
        self._room = threading.Semaphore(MAX_UNSEALED)
        self._sealing, self._syncing = _Aside.start(self._write), _Aside.start(self._sync)
        self._sync_is_due = False
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
        """Has the record written. facts: pid, uptime_s, ready, restart. Gives the verdict.

        The record is there when this returns, unless the disk is slower than SEAL_S: then it comes later.
        """
        verdict = verdict_of(death)
        unsealed = _Unsealed(draft, spec, env, how, death, verdict, facts)
        if not self._room.acquire(blocking=False):
            self._log("crash_record_lost", worker=draft.worker, id=draft.id, error="too many wait for the disk")
            return verdict
        try:
            self._sealing.ask(unsealed, timeout=SEAL_S)
        except pykka.Timeout:
            self._log("crash_record_late", worker=draft.worker, id=draft.id, waited_s=SEAL_S)
        except pykka.ActorDeadError as error:
            self._log("crash_record_lost", worker=draft.worker, id=draft.id, error=repr(error))
        return verdict

    def _write(self, unsealed: "_Unsealed") -> None:
        draft = unsealed.draft
        try:
            masker = Masker(tuple(value for name, value in unsealed.env.items() if is_secret_name(name)))
            self._store.write(masker.value(self._record(unsealed)))
        except Exception as error:
            self._log("crash_record_lost", worker=draft.worker, id=draft.id, error=repr(error))
        else:
            if not self._sync_is_due:
                self._sync_is_due = True
                self._syncing.tell(None)
        finally:
            self._room.release()

    def _sync(self, _: None) -> None:
        """Not on the thread that seals: a sync may wait for all that others write."""
        time.sleep(SYNC_AFTER_S)
        self._sync_is_due = False
        try:
            self._store.sync()
        except OSError as error:
            self._log("crash_record_unsynced", error=repr(error))

    def _record(self, unsealed: "_Unsealed") -> dict[str, Any]:
        draft, spec, how, death, verdict = (
            unsealed.draft, unsealed.spec, unsealed.how, unsealed.death, unsealed.verdict
        )  # fmt: skip
        how_text = death.signal or f"code {death.code}"
        lines = [line.text for line in how.output]
        command = list(spec.command) if spec.command else spec.entrypoint or f"agent {spec.agent}"
        return {
            "version": 1, "id": draft.id,
            "fingerprint": fingerprint_of(verdict.kind, how_text, death.exception, death.stacks, lines),
            "worker": draft.worker, "incarnation": draft.incarnation, "at": draft.at, **unsealed.facts,
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
            "config_hash": f"{crc32(json.dumps(msgspec.to_builtins(spec)).encode()):08x}",
            "code_version": self.versions.of(spec.cwd), "environment_names": sorted(unsealed.env),
        }  # fmt: skip


class _Aside(pykka.ThreadingActor):
    """Does one thing on a thread of its own, so that a disk that hangs does not hang the workers' actors."""

    use_daemon_thread = True

    def __init__(self, task: Callable[[Any], None]) -> None:
        super().__init__()
        self._task = task

    def on_receive(self, message: Any) -> Any:
        self._task(message)


class Draft(msgspec.Struct, frozen=True):
    """A record that has its name."""

    id: str
    at: str
    worker: str
    incarnation: int
    held: list[dict[str, Any]]


class _Unsealed(msgspec.Struct, frozen=True):
    draft: Draft
    spec: WorkerSpec
    env: dict[str, str]
    how: ProcessExit
    death: Death
    verdict: Verdict
    facts: dict[str, Any]


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
    store.sync()
    return crash_id
