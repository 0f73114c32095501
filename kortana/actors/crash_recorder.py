"""Builds the record of a death from all that is known at that moment, and seals it. Never raises, never waits long."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
import pykka

from kortana.actors.code_versions import CodeVersions
from kortana.config.spec import WorkerSpec
from kortana.core.secrets import Masker
from kortana.core.verdict import Death, Verdict, verdict_of
from kortana.ports import Crashes, CrashSettings, ProcessExit
from kortana.processes.black_box import entries
from kortana.processes.crash_record import CrashName, Moment, crash_record, in_utf8, masker_of

EVENTS = 20
Events = Callable[[str, int], list[dict[str, Any]]]
SEAL_S = 0.1
"""A restart waits no longer for the record of the death before it."""
MAX_UNSEALED = 100
SYNC_AFTER_S = 0.1
"""By then a successor runs; and a storm of crashes is a few syncs, which the journal's would wait for."""


class CrashRecorder:
    """held: the tasks and tokens that an agent has leases on. events: the last ones to and from an agent."""

    def __init__(
        self, store: Crashes, events: Events, held: Callable[[str], list[dict[str, Any]]], log: Callable[..., None]
    ) -> None:
        self._store, self._events, self._held, self._log = store, events, held, log
        self._room = threading.Semaphore(MAX_UNSEALED)
        self._sealing, self._syncing = _Aside.start(), _Aside.start()
        self._sync_is_due = False
        self.versions = CodeVersions()

    def settings(self, spec: WorkerSpec, env: dict[str, str], masker: Masker) -> CrashSettings:
        """What a record says of a worker whatever it dies of. masker: of its environment's secrets."""
        command = list(spec.command) if spec.command else spec.entrypoint or f"agent {spec.agent}"
        shown = masker.value({"command": command, "cwd": spec.cwd, "names": sorted(env)})
        return CrashSettings(
            command=in_utf8(shown["command"]),
            cwd=in_utf8(shown["cwd"]),
            config_hash=f"{crc32(json.dumps(msgspec.to_builtins(spec)).encode()):08x}",
            code_version=self.versions.of(spec.cwd),
            environment_names=in_utf8(shown["names"]),
        )

    def begin(self, worker: str, incarnation: int, kept: CrashName | None = None) -> "Draft":
        """To be called before the death is told to anybody: what it held is known only until then.

        kept: how the launcher has called it.
        """
        return Draft(kept or CrashName.of(worker, incarnation), worker, incarnation, self._held(worker))

    def seal(
        self,
        draft: "Draft",
        spec: WorkerSpec,
        env: dict[str, str],
        how: ProcessExit,
        death: Death,
        moment: Moment,
    ) -> Verdict:
        """Has the record written; what it held and the events come from here. Gives the verdict.

        The record is there when this returns, unless the disk is slower than SEAL_S: then it comes later.
        """
        verdict = verdict_of(death)

        def record() -> dict[str, Any]:
            masker = masker_of(env)
            known = msgspec.structs.replace(moment, held=draft.held, events=self._events(draft.worker, EVENTS))
            return crash_record(
                draft.name, (draft.worker, draft.incarnation), self.settings(spec, env, masker), how, death, verdict,
                known, masker,
            )  # fmt: skip

        if not self._room.acquire(blocking=False):
            self._log("crash_record_lost", worker=draft.worker, id=draft.id, error="too many wait for the disk")
            return verdict
        try:
            self._sealing.ask(partial(self._write, draft, record), timeout=SEAL_S)
        except pykka.Timeout:
            self._log("crash_record_late", worker=draft.worker, id=draft.id, waited_s=SEAL_S)
        except pykka.ActorDeadError as error:
            self._log("crash_record_lost", worker=draft.worker, id=draft.id, error=repr(error))
        return verdict

    def _write(self, draft: "Draft", record: Callable[[], dict[str, Any]]) -> None:
        try:
            self._store.write(record())
        except Exception as error:
            self._log("crash_record_lost", worker=draft.worker, id=draft.id, error=repr(error))
        else:
            if not self._sync_is_due:
                self._sync_is_due = True
                self._syncing.tell(self._sync)
        finally:
            self._room.release()

    def _sync(self) -> None:
        """Not on the thread that seals: a sync may wait for all that others write."""
        time.sleep(SYNC_AFTER_S)
        self._sync_is_due = False
        try:
            self._store.sync()
        except OSError as error:
            self._log("crash_record_unsynced", error=repr(error))


class _Aside(pykka.ThreadingActor):
    """Does what it is told on a thread of its own, so that a disk that hangs does not hang the workers' actors."""

    use_daemon_thread = True

    def on_receive(self, message: Callable[[], None]) -> Any:
        message()


class Draft(msgspec.Struct, frozen=True):
    """A record that has its name."""

    name: CrashName
    worker: str
    incarnation: int
    held: list[dict[str, Any]]

    @property
    def id(self) -> str:
        return self.name.id


def record_own_death(store: Crashes, events: Events, run_id: str, ended: int) -> str:
    """The supervisor of an earlier run did not end cleanly; written at the next `up`. Raises OSError."""
    name = CrashName.of("kortana", 0)
    summary = "Kortana itself ended without a word (killed, or the machine went down); found at this start"
    store.write(
        {
            "version": 1, "id": name.id, "fingerprint": "v1-kortana", "worker": "kortana", "incarnation": 0,
            "pid": None, "at": name.at, "uptime_s": None, "exit_code": None, "signal": None, "core_dumped": False,
            "verdict": "supervisor_died", "summary": summary,
            "evidence": [f"run {run_id} left its process file", f"processes that it had left: {ended}"],
            "exception": None, "stacks": "", "output": [], "task": None, "tasks": [],
            "events": events("supervisor", EVENTS), "rusage": None, "restart": None,
            "config_hash": None, "code_version": None, "environment_names": [],
        }
    )  # fmt: skip
    store.sync()
    return name.id


def records_owed(store: Crashes, events: Events, black_box: Path) -> Iterator[str]:
    """Writes the records of deaths that an earlier run knew of, and did not live to record; gives their IDs.
    What cannot be written is left out."""
    with suppress(OSError):
        for entry in entries(black_box):
            if store.read(entry.name.id) is None:
                store.write({**entry.record(), "events": events(entry.worker, EVENTS)})
                yield entry.name.id
