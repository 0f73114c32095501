"""Where the command line begins: systems that it does not run on, and streams that cannot say everything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kortana.cli import entry
from kortana.cli.errors import CliError
from kortana.cli.finding import find_file

PRETEND = """
import sys
from pathlib import Path
for name in ("fcntl", "resource", "pwd", "grp", "termios", "kortana.processes", "kortana.transport"):
    sys.modules[name] = None
sys.platform = {system!r}
"""
COMMAND = "from kortana.cli.entry import main\nsys.argv = ['kortana', {words}]\nmain()\n"


def _on(system: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRETEND.format(system=system) + code], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("words", ["'up', '-d'", "'agent', 'claim'", "'mcp'", "'guard', 'hook'", ""])
def test_on_windows_every_command_says_what_to_do(words: str) -> None:
    found = _on("win32", COMMAND.format(words=words))
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        "kortana: Kortana does not run on Windows itself yet\n  run it in WSL 2: see `On Windows` in the README\n"
    )


def test_elsewhere_as_json() -> None:
    found = _on("darwin", COMMAND.format(words="'ps', '--json'"))
    assert found.returncode == 1
    error = json.loads(found.stderr)["error"]
    assert error["code"] == "unsupported_system" and "darwin" in error["message"] and error["hint"]


def test_the_agents_library_says_so_too() -> None:
    found = _on("win32", "import kortana\nprint(kortana.__version__)\nfrom kortana import AgentInterface\n")
    assert found.returncode == 1 and found.stdout
    assert found.stderr.splitlines()[-1].startswith("ImportError: Kortana does not run on Windows itself yet; ")


@pytest.mark.parametrize(("encoding", "shown"), [
    ("ascii", rb"gr\u00fc\u2603\ud83d\ude00"), ("latin-1", b"gr\xfc\\u2603\\ud83d\\ude00"),
    ("utf-8", "grü☃😀".encode()),
])  # fmt: skip
def test_what_a_stream_cannot_say_is_written_as_json_says_it(encoding: str, shown: bytes) -> None:
    code = "from kortana.cli import entry\nentry._open_streams()\nprint('grü☃😀')"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, env=environment)
    assert (found.returncode, found.stdout) == (0, shown + b"\n")
    assert json.loads(b'"%b"' % found.stdout.rstrip().decode(encoding).encode()) == "grü☃😀"


def test_a_file_with_the_other_suffix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CliError) as refused:
        find_file(None)
    assert "init" in refused.value.hint
    (tmp_path / "kortana.yml").touch()
    with pytest.raises(CliError) as refused:
        find_file(None)
    assert refused.value.hint == "rename kortana.yml to kortana.yaml"


def test_an_interrupt_while_something_is_loaded_ends_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loading:
        def __getattr__(self, name: str) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["kortana", "ps"])
    monkeypatch.setitem(sys.modules, "kortana.cli.app", Loading())  # type: ignore[arg-type]
    monkeypatch.setattr(entry, "_open_streams", lambda: None)
    with pytest.raises(SystemExit, match="130"):
        entry.main()
