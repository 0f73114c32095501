"""Every system call of commit, rotation, snapshot and recovery fails in turn: EIO, ENOSPC, EINTR, a short write."""

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kortana.adapters.files import journal as journal_module
from kortana.adapters.files import layout as layout_module
from kortana.ports import JournalFault
from tests.faults import driver

CALLS = ("write", "fsync", "fdatasync", "ftruncate", "rename", "replace", "open")
KINDS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EINTR": errno.EINTR, "short": 0}
GROUPS = 14
LONG = bool(os.environ.get("KORTANA_LONG"))
ROUNDS, SLICE = (4, 1) if LONG else (1, 3)
"""SLICE: in `make test` each kind of failure hits every third call, each another one."""


class Injector:
    """Stands where the files' modules expect `os`; the nth call of those that matter fails once."""

    def __init__(self, at: int, kind: str) -> None:
        self.at, self.kind, self.count = at, kind, 0
        self.hit = ""

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self._wrap(name, real) if name in CALLS else real

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count != self.at:
                return real(*args, **kwargs)
            self.hit = name
            if self.kind == "short":
                return real(args[0], args[1][: len(args[1]) // 2]) if name == "write" else real(*args, **kwargs)
            if name == "write":
                real(args[0], args[1][: len(args[1]) // 3])
            raise OSError(KINDS[self.kind], os.strerror(KINDS[self.kind]))

        return wrapped


class LateSync:
    """Syncs when it is waited for."""

    def __init__(self, sync: Callable[[int], None]) -> None:
        self._sync, self._fd = sync, -1

    def begin(self, fd: int) -> bool:
        self._fd = fd
        return True

    def has_ended(self) -> bool:
        return True

    def end(self) -> None:
        self._sync(self._fd)


def run(folder: Path, seed: int, injector: Injector, monkeypatch: pytest.MonkeyPatch) -> driver.Witness:
    """A life in which one call fails: after a fault, start over from the journal, as the supervisor does."""
    witness = driver.Witness(folder)
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "os", injector)
        patch.setattr(layout_module, "os", injector)
        patch.setattr(journal_module, "_sync", lambda fd: injector.fdatasync(fd))
        life = None
        journal = None
        for number in range(GROUPS):
            for _ in range(5):
                try:
                    if life is None:
                        life = driver.Life(folder, seed * 100 + number, LateSync(injector.fdatasync))
                        if journal is not None:
                            life.journal._distrusted = journal._distrusted
                    durable = life.step()
                except JournalFault:
                    journal = life.journal if life is not None else None
                    if journal is not None:
                        journal.close()
                    life = None
                    continue
                except OSError:
                    if life is not None:
                        life.journal.close()
                    life = None
                    continue
                witness.acknowledged.update(durable)
                break
            if life is not None and number == GROUPS // 2:
                try:
                    life.snapshot()
                except OSError:
                    pass
                except JournalFault:
                    journal, life = life.journal, None
                    journal.close()
        if life is not None:
            life.journal.close()
    return witness


def test_a_failed_call_loses_nothing_and_the_next_attempt_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits: Counter[str] = Counter()
    for seed in range(ROUNDS):
        total = Injector(0, "EIO")
        run(tmp_path / f"count{seed}", seed, total, monkeypatch)
        for shift, kind in enumerate(KINDS):
            for at in range(1 + shift % SLICE, total.count + 1, SLICE):
                injector = Injector(at, kind)
                folder = tmp_path / f"{seed}-{kind}-{at}"
                try:
                    witness = run(folder, seed, injector, monkeypatch)
                    assert len(witness.acknowledged) > GROUPS
                    witness.check()
                except BaseException as error:
                    raise AssertionError(f"seed {seed}, {kind} at call {at} ({injector.hit}): {error!r}") from error
                hits[f"{kind} at {injector.hit}"] += 1
    print(dict(hits))
    assert {name.split(" at ")[1] for name in hits} >= {"write", "fdatasync", "fsync", "replace", "open", "rename"}
