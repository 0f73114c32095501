"""Controllers are handed down to the workers' cgroups only where Kortana is alone, and after it has made room."""

import errno
import os
from pathlib import Path

import pytest

from kortana.processes import delegation
from kortana.processes.delegation import Delegation, may_hand_down

OURS = [os.getpid(), os.getppid()]


class Kernel:
    """The rules of cgroup v2 that matter here, on plain files."""

    def __init__(self, top: Path, pids: list[int], controllers: str = "cpu memory pids") -> None:
        self.top, self.run, self.home = top, top / "kortana-1a2b", top / "kortana-1a2b.home"
        self.run.mkdir()
        (top / "cgroup.type").write_text("domain\n")
        (top / "cgroup.controllers").write_text(controllers)
        (top / "cgroup.subtree_control").write_text("")
        (top / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        self.handed: list[str] = []
        self.late: list[str] = []
        """Who comes while room is made."""

    def move(self, source: Path, target: Path) -> None:
        if source == self.home and self.handed:
            raise OSError(errno.EBUSY, "controllers are handed down")
        pids = [*self._pids(target), *self._pids(source)]
        (target / "cgroup.procs").write_text("\n".join(pids))
        (source / "cgroup.procs").write_text("\n".join(self.late))
        if source == self.home:
            (source / "cgroup.procs").unlink()

    def hand_down(self, folder: Path, sign: str, names: list[str]) -> None:
        if folder == self.top and sign == "+" and self._pids(self.top) and (self.top / "cgroup.type").exists():
            raise OSError(errno.EBUSY, "a process is in it")
        self.handed = [] if sign == "-" else [*self.handed, f"{folder.name} {' '.join(names)}"]

    def pids(self) -> list[int]:
        return sorted(int(pid) for pid in self._pids(self.top))

    @staticmethod
    def _pids(folder: Path) -> list[str]:
        file = folder / "cgroup.procs"
        return file.read_text().split() if file.exists() else []


def kernel(patch: pytest.MonkeyPatch, top: Path, pids: list[int], controllers: str = "cpu memory pids") -> Kernel:
    made = Kernel(top, pids, controllers)
    patch.setattr(delegation, "_move", made.move)
    patch.setattr(delegation, "_hand_down", made.hand_down)
    return made


def test_kortana_makes_room_and_takes_its_place_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = kernel(monkeypatch, tmp_path, OURS)
    assert may_hand_down(tmp_path) == ["memory", "pids"]
    found = Delegation(system.run)
    found.take()
    assert system.handed == [f"{tmp_path.name} memory pids", "kortana-1a2b memory pids"] and system.pids() == []
    Delegation(system.run).take()
    assert len(system.handed) == 4, "the next launcher finds the room made"
    found.give_back()
    assert system.handed == [] and system.pids() == sorted(OURS) and not system.home.exists()


@pytest.mark.parametrize("stranger", [1, 0])
def test_where_others_are_too_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stranger: int
) -> None:
    """Not even the controller of pids, which the kernel would give."""
    system = kernel(monkeypatch, tmp_path, [*OURS, stranger])
    assert may_hand_down(tmp_path) == []
    Delegation(system.run).take()
    assert system.handed == [] and len(system.pids()) == 3 and not system.home.exists()


def test_who_comes_meanwhile_ends_the_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = kernel(monkeypatch, tmp_path, OURS)
    system.late = ["77"]
    Delegation(system.run).take()
    assert system.handed == [] and 77 in system.pids() and set(OURS) <= set(system.pids())
    assert not system.home.exists()


def test_the_root_of_all_needs_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = kernel(monkeypatch, tmp_path, [1, *OURS])
    (tmp_path / "cgroup.type").unlink()
    assert may_hand_down(tmp_path) == ["memory", "pids"]
    Delegation(system.run).take()
    assert len(system.handed) == 2 and len(system.pids()) == 3


def test_without_controllers_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = kernel(monkeypatch, tmp_path, OURS, "cpu")
    Delegation(system.run).take()
    assert may_hand_down(tmp_path) == [] and system.handed == [] and len(system.pids()) == 2
