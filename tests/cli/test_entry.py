"""Where the command line begins: on a system that Kortana does not run on, that is all that is said."""

import json
import subprocess
import sys

import pytest

PRETEND = """
import sys
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
