"""What the launcher tells of an incarnation that it holds, and could not even fork."""

from multiprocessing import Pipe
from pathlib import Path

import pytest

from kortana.ports import ProcessSpec
from kortana.processes import messages
from kortana.processes.black_box import BlackBox
from kortana.processes.launcher import Launcher
from kortana.processes.succession import Succession


@pytest.mark.parametrize("held", [False, True])
def test_a_fork_that_fails_is_told_when_it_is_asked_for(
    held: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KORTANA_NO_CGROUPS", "1")

    def refuse(self: Launcher, start: messages.Start) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(Launcher, "_fork", refuse)
    ours, theirs = Pipe()
    options = messages.LauncherOptions("test", False, False, False, 1, "", str(tmp_path / "deaths"))
    launcher = Launcher(theirs, options, lambda entrypoint: None, Succession(BlackBox(options.black_box)))  # type: ignore[arg-type]
    spec = ProcessSpec("w", 1, ["true"], None, ".", {}, "w.log", 1, 1, None, None)
    launcher._obey(messages.Start.of(spec, held))
    if held:
        assert not ours.poll(), "nobody knows of it yet"
        launcher._obey(messages.Release("w", 1))
    told = messages.decode_from_launcher(ours.recv_bytes())
    assert told == messages.StartFailed("w", 1, "Cannot allocate memory")
