"""Wires a whole tree together: the only place where actors meet adapters."""

import contextlib
import gc
import os
import random
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from kortana.actors.admission import Gate
from kortana.actors.budget import TreeBudget
from kortana.actors.console import Console, describe_event
from kortana.actors.core_actors import CoreActors
from kortana.actors.crash_recorder import CrashRecorder, record_own_death, records_owed
from kortana.actors.data_folder import watch_over
from kortana.actors.environment import worker_environment
from kortana.actors.main_thread import MainThread
from kortana.actors.messages import LauncherBack
from kortana.actors.relay import RelayActor
from kortana.actors.reports import Reports
from kortana.actors.services import Services
from kortana.actors.supervisor import SupervisorActor
from kortana.actors.timer import TimerActor
from kortana.actors.worker_view import Worker
from kortana.adapters.files.crashes import CrashStore
from kortana.adapters.files.journal import FileJournal
from kortana.adapters.files.layout import DataLayout, replace_file
from kortana.adapters.files.reserve import DiskReserve
from kortana.adapters.files.snapshots import FileSnapshots
from kortana.adapters.files.supervision_log import SupervisionLog
from kortana.config.limits import limits_from
from kortana.config.spec import Config, WorkerSpec
from kortana.core.state import State
from kortana.ports import Journal, ProcessSpec
from kortana.processes import black_box, cgroup, leftovers, numbering, open_files
from kortana.processes.huge_pages import begin_to_use as begin_to_use_huge_pages
from kortana.processes.link import LauncherLink
from kortana.processes.lock import FolderLock
from kortana.processes.messages import LauncherOptions
from kortana.processes.notify import Notifier
from kortana.processes.posix import become_subreaper
from kortana.processes.pulse import MISSED, PULSE_S
from kortana.processes.reaping import reap_others
from kortana.processes.threads import starting_threads, why_no_process
from kortana.processes.tree import Mark, is_inside
from kortana.protocol.codec import encode_json
from kortana.protocol.timestamps import iso_from_ms
from kortana.recovering import Recovery
from kortana.transport.background_sync import BackgroundSync
from kortana.transport.endpoint import listen_for
from kortana.transport.hub import ROOM_FOR_PEOPLE, Hub
from kortana.wiring import SystemClock, process_spec, task_event

RUNNER = "kortana.agent.runner:run_entrypoint"
OWN_FILES = 100
"""Files that are open besides the connections."""
GIL_SLICE_S = 0.001
"""A worker's actor waits no longer than this for a coordinator that computes."""


class Options(msgspec.Struct, frozen=True):
    """How `up` was called."""

    foreground: bool
    """Show the workers' output."""
    live: bool
    """Keep a live line: stdout is a terminal and `--exit-when-done` was given."""
    colour: bool
    exit_when_done: bool


class Tree:
    """One run of one configuration. `run` returns the exit code when nothing of it is left."""

    def __init__(self, config: Config, layout: DataLayout, options: Options, say: Callable[[str], None]) -> None:
        self._config, self._layout, self._options, self._say = config, layout, options, say
        self._run_id = secrets.token_hex(6)
        self._began = time.monotonic()
        self._log = SupervisionLog(layout.supervision)
        self._reports = Reports()
        self._workers: dict[str, Worker] = {}
        self._console: Console | None = None
        self._crashes = CrashStore(layout.crashes)
        self._notifier = Notifier()
        self._main = MainThread(self._notifier, say)
        spec = config.journal
        self._background = BackgroundSync.open()
        self._journal = FileJournal(layout.journal, spec.durability == "fsync", spec.rotate_size, self._background)
        self._recovery = Recovery(config, layout, self._journal, self._tell_note)
        self._mark = Mark(self._run_id)

    def run(self, lock: FolderLock, ready: Callable[[Any], None]) -> int:
        """Starts everything, tells `ready` the supervisor, and serves until the end. The lock must be held.

        Raises JournalDamageError, EditError, TaskCycleError and OSError from the recovery, before anything is started.
        """
        self._tune()
        self._end_earlier_run()
        first = self._recovery.first()
        become_subreaper()
        self._main.install_signals()
        self._socket, listener = listen_for(self._layout.run)
        hub = Hub(listener, self._files - OWN_FILES - ROOM_FOR_PEOPLE)
        if self._background is not None:
            hub.watch(self._background.fd, self._background.notice)
        link = self._link = LauncherLink(self._launcher_options(), self._reports.pass_on, self._on_launcher_hung)
        link.open()
        try:
            leftovers.remember(self._layout.processes, self._run_id, link.identity())
            with starting_threads():
                self._supervisor = self._build(hub, link, first)
            self._write_endpoint()
            self._supervisor.proxy().begin().get(timeout=120)
            self._log.write("up", run_id=self._run_id, pid=os.getpid())
            ready(self._supervisor)
            watch_over(lock, self._supervisor)
            begin_to_use_huge_pages(self._log.write)
            self._notifier.tell("READY=1", f"STATUS={len(self._workers)} workers")
            code = self._main.serve(self._supervisor, self._reopen_launcher)
        finally:
            if not link.close():
                self._end_run()
            hub.close()
            self._clean_up()
        if self._console is not None:
            self._console.close()
        self._log.write("down", code=code)
        lock.release()
        self._main.release_signals()
        return code

    def summary(self) -> dict[str, Any]:
        """What the run came to."""
        stats = self._core.stats
        rows = [worker.view for worker in self._workers.values()]
        return {
            "tasks": self._last_counts(), "workers": len(rows), "claims": stats.claims, "denials": stats.denials,
            "expired": stats.expired, "restarts": sum(view.restarts for view in rows),
            "duration_s": round(time.monotonic() - self._began, 1), "unfinished": self._core.unfinished(),
        }  # fmt: skip

    def _tune(self) -> None:
        """The state holds no cycles: only young garbage is looked for. Threads take turns more often. More files may be
        open than usual."""
        gc.set_threshold(50_000, 50, 100_000)
        sys.setswitchinterval(GIL_SLICE_S)
        self._usual_files, self._files = open_files.raise_own()

    def _end_earlier_run(self) -> None:
        """What it has left, and a record of its death where it has not ended by itself."""
        unclean = leftovers.remembered_run(self._layout.processes)
        ended = leftovers.end_leftovers(self._layout.processes)
        if ended:
            self._say(f"ended {ended} processes that an earlier run had left")
            self._log.write("adopted_leftovers", ended=ended)
        for crash_id in records_owed(self._crashes, self._journal.tail.events_of, self._layout.black_box):
            self._log.write("crash_record_recovered", crash_id=crash_id)
        if unclean is None:
            return
        try:
            crash_id = record_own_death(self._crashes, self._journal.tail.events_of, unclean, ended)
        except OSError as error:
            crash_id = f"lost: {error.strerror}"
        self._log.write("supervisor_died", run_id=unclean, crash_id=crash_id)
        self._say(f"the last run had not ended cleanly: `kortana crashes show {crash_id}`")

    def _tell_note(self, note: str) -> None:
        self._say(note)
        self._log.write("recovery_note", note=note)

    def _build(self, hub: Hub, link: LauncherLink, first: tuple[State, Journal]) -> Any:
        waiting = [first]
        clock = SystemClock()
        config = self._config
        gate = Gate(
            config.project, lambda pid: is_inside(pid, self._mark), str(self._layout.root), config.guard,
            os.path.dirname(config.path),
        )  # fmt: skip
        watch = None
        if self._options.foreground:
            self._console = Console(self._name_width(), self._options.live, self._progress)
            watch = self._console.watch
        self._core = CoreActors(
            lambda for_writing: waiting.pop() if waiting else self._recovery.again(for_writing),
            FileSnapshots(self._layout, config.journal.keep_segments, self._journal.check_place), hub, gate, clock,
            [*self._recovery.edits, *(task_event(task) for task in self._config.tasks)], watch, self._log.write,
            DiskReserve(self._layout.reserve), limits_from(self._config), task_event,
        )  # fmt: skip
        spec = self._config.supervisor
        services = Services(
            launcher=link, gate=gate, clock=clock, timer=TimerActor.start(), supervisor=None,
            coordinator=self._core.tell_coordinator, log=self._log_and_tell,
            draw=lambda: random.uniform(-1, 1), make_spec=self._process_spec,
            tree_budget=TreeBudget(spec.intensity, spec.period), strategy=spec.strategy,
            recorder=CrashRecorder(self._crashes, self._journal.tail.events_of, self._core.held_by, self._log.write),
        )  # fmt: skip
        ref: Any = SupervisorActor.start(
            self._config, self._core, services, self._reports, self._log_and_tell,
            self._main.finished, self._main.launcher_gone,
            self._options.exit_when_done, self._workers, self._relay_maker(hub),
        )  # fmt: skip
        return ref

    def _relay_maker(self, hub: Hub) -> Callable[[Any], Any] | None:
        """Starts the relay actor, where the legacy file mailboxes are wanted."""
        relay = self._config.relay
        if not relay.enabled:
            return None
        root = (Path(self._config.path).parent / relay.root).resolve()
        positions = self._layout.root / "relay_positions.json"
        return lambda supervisor: RelayActor.start(
            root, positions, hub.attach, self._core.tell_coordinator, self._log.write, supervisor,
            lambda agent: agent in self._workers or self._core.has_agent(agent),
        )  # fmt: skip

    def _log_and_tell(self, event: str, **fields: Any) -> None:
        self._log.write(event, **fields)
        if self._console is not None and (line := describe_event(event, fields)) is not None:
            self._console.say(line)

    def _process_spec(self, spec: WorkerSpec, name: str, incarnation: int, token: str) -> ProcessSpec:
        env = worker_environment(spec, name, incarnation, token, self._config.project, str(self._socket), self._run_id)
        return process_spec(spec, name, incarnation, env, str(self._layout.log_of(name)), self._usual_files)

    def _launcher_options(self) -> LauncherOptions:
        options = self._options
        return LauncherOptions(
            self._run_id, options.foreground, options.live, options.colour, self._name_width(), RUNNER,
            str(self._layout.black_box),
        )  # fmt: skip

    def _name_width(self) -> int:
        names = [name for worker in self._config.workers for name in worker.replica_names()]
        return max([len("kortana"), *map(len, names)])

    def _on_launcher_hung(self, stacks: str) -> None:
        waited = PULSE_S * MISSED
        cause = f"it was asked and did not answer in {waited:g} s: it is killed"
        self._log_and_tell("launcher_hung", cause=cause, waited_s=waited, stacks=stacks)

    def _end_run(self) -> None:
        """Ends what a launcher that was killed has left."""
        folder = cgroup.own_folder()
        leftovers.end_run(self._run_id, folder / f"kortana-{self._run_id}" if folder else None)

    def _reopen_launcher(self, again: bool) -> bool:
        """False where the system has none to give just now. again: that was so the last time too."""
        try:
            self._end_run()
            self._link.open()
        except OSError as error:
            if not again:
                self._log_and_tell("launcher_waits", cause=why_no_process(error))
            return False
        with contextlib.suppress(OSError):  # the run's id, by which all others are found, is there already
            leftovers.remember(self._layout.processes, self._run_id, self._link.identity())
        self._supervisor.tell(LauncherBack())
        return True

    def _write_endpoint(self) -> None:
        endpoint = {
            "socket": str(self._socket), "pid": os.getpid(), "numbering": numbering.own(), "run_id": self._run_id,
            "project": self._config.project, "config": self._config.path,
            "started_at": iso_from_ms(time.time_ns() // 1_000_000),
        }  # fmt: skip
        replace_file(self._layout.endpoint, [encode_json(endpoint), b"\n"])

    def _clean_up(self) -> None:
        for path in (self._socket, self._layout.endpoint, self._layout.processes, self._layout.reserve):
            with contextlib.suppress(OSError):
                path.unlink()
        with contextlib.suppress(OSError):
            black_box.clear_away(self._layout.black_box)
        if self._socket.parent != self._layout.run:
            self._socket.parent.rmdir()
        reap_others()

    def _last_counts(self) -> dict[str, int]:
        return {status: n for status, n in self._core.counts().items() if n > 0}

    def _progress(self) -> str:
        counts = self._core.counts()
        total = sum(counts.values())
        seconds = int(time.monotonic() - self._began)
        return (
            f"{counts.get('completed', 0)}/{total} done, {counts.get('in_progress', 0)} running, "
            f"{counts.get('blocked', 0)} blocked, {counts.get('failed', 0)} failed, {seconds} s"
        )
