"""The next incarnation of a worker: what its process is to be, and that process while it is held."""

import secrets

from kortana.actors.services import Services
from kortana.actors.worker_view import WorkerView
from kortana.config.spec import WorkerSpec
from kortana.ports import ProcessSpec


class Successor:
    """Of one worker. `prepare` has it get ready while the death before it is recorded; `begin` lets it begin."""

    def __init__(self, name: str, services: Services, view: WorkerView) -> None:
        self._name, self._is, self._view = name, services, view
        self._held: tuple[str, ProcessSpec] | None = None

    def prepare(self, spec: WorkerSpec) -> None:
        """Raises EnvFileError."""
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
