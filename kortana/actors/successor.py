"""The next incarnation of a worker: what its process is to be, and that process before anybody has heard of it."""

import secrets
from contextlib import suppress

from kortana.actors.budget import Restarts
from kortana.actors.environment import EnvFileError
from kortana.actors.services import Services
from kortana.actors.worker_view import WorkerView
from kortana.config.spec import WorkerSpec
from kortana.core.restart import verdict
from kortana.ports import ProcessSpec
from kortana.processes.crash_record import masker_of


class Successor:
    """Of one worker. `appoint` has it begin in the moment of a crash, `prepare` has it get ready while the death before
    it is recorded; `begin` lets it begin, and be heard of."""

    def __init__(self, name: str, services: Services, view: WorkerView) -> None:
        self._name, self._is, self._view = name, services, view
        self._held: tuple[str, ProcessSpec] | None = None

    def appoint(self, spec: WorkerSpec, restarts: Restarts) -> None:
        """Where a crash means a start at once, the launcher need not ask. Not for a Python worker, which says HELLO
        sooner than the death before it is dealt with; nor where the environment may be another one by then."""
        if spec.command is None or spec.env_file is not None or self._is.strategy != "one_for_one":
            return
        if verdict(spec.restart, "crash") != "restart" or not restarts.come_at_once(self._is.clock.monotonic()):
            return
        normal, quota = sorted(spec.success_exit_codes), sorted(spec.quota_exit_codes)
        but_not = quota if verdict(spec.restart, "normal") == "restart" else [*normal, *quota]
        self._held = token, process = self._make(spec)
        self._is.gate.announce(self._name, token)
        settings = self._is.recorder.settings(spec, process.env, masker_of(process.env))
        self._is.launcher.start_after(process, but_not, normal, settings)

    def prepare(self, spec: WorkerSpec) -> None:
        """Where nobody is appointed. A bad env_file is `take`'s to say."""
        if self._held is None:
            with suppress(EnvFileError):
                self._held = self._make(spec)
                self._is.launcher.start(self._held[1], held=True)

    def discard(self) -> None:
        """There will be none, or another one."""
        if self._held is not None:
            self._held = None
            self._is.launcher.discard(self._name, self._view.incarnation + 1)

    def forget(self) -> None:
        """The launcher is gone, and what it held."""
        self._held = None

    def take(self, spec: WorkerSpec) -> ProcessSpec:
        """Counts the incarnation, and hands out its token; `begin` is due. Raises EnvFileError, and counts it too."""
        held = self._held
        try:
            token, process = held or self._make(spec)
        finally:
            self._view.incarnation += 1
        self._is.gate.hand_out(self._name, token, process.incarnation)
        return process

    def begin(self, process: ProcessSpec) -> None:
        """Lets it begin, or starts it."""
        held, self._held = self._held, None
        if held is not None:
            self._is.launcher.release(self._name, process.incarnation)
        else:
            self._is.launcher.start(process)

    def _make(self, spec: WorkerSpec) -> tuple[str, ProcessSpec]:
        token = secrets.token_urlsafe(24)
        return token, self._is.make_spec(spec, self._name, self._view.incarnation + 1, token)
