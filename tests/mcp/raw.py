"""An MCP server and its pipes, without an SDK."""

import json
import subprocess
import sys
from typing import Any

from tests.e2e.project import PATIENCE_S, Project


def mcp_words(name: str | None) -> list[str]:
    """How the server is called, after the interpreter."""
    return ["-m", "kortana", "mcp", *(["--as", name] if name else [])]


class Raw:
    def __init__(self, project: Project, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *mcp_words("raw"), *words], cwd=project.folder, env=project.env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def say(self, line: str | bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write((line if isinstance(line, bytes) else line.encode()) + b"\n")
        self.process.stdin.flush()

    def ask(self, number: int | str, method: str, **params: Any) -> Any:
        self.say(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        return self.answer()

    def answer(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def end(self) -> bytes:
        """What it said on stderr."""
        return self.process.communicate(timeout=PATIENCE_S)[1]
