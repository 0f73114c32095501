"""Runs `@modelcontextprotocol/inspector --cli --strict` against `kortana mcp`; called by `make inspector`."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIG = 'version: 1\nworkers: {i: {command: [sleep, "1000"]}}\ntasks: [{id: one, title: One, paths: ["src/**"]}]\n'
BIN = Path(sys.executable).parent
CALLS = [
    ["--method", "tools/list"],
    ["--method", "resources/list"],
    ["--method", "resources/read", "--uri", "kortana://tasks"],
    ["--method", "tools/call", "--tool-name", "claim_task", "--tool-arg", "task_id=one"],
    ["--method", "tools/call", "--tool-name", "why", "--tool-arg", "task_id=one"],
    ["--method", "tools/call", "--tool-name", "list_tasks"],
]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "kortana.yaml").write_text(CONFIG)
        kortana = str(BIN / "kortana")
        subprocess.run([kortana, "up", "-d"], cwd=folder, check=True)
        env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        failed = 0
        try:
            for call in CALLS:
                strict = ["--strict"] if "tools/list" in call else []  # it knows no other strictness
                words = ["npx", "--yes", "@modelcontextprotocol/inspector", "--cli", *strict, kortana, "mcp", *call]
                done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
                ok = done.returncode == 0
                failed += not ok
                print("ok  " if ok else "FAIL", " ".join(call))
                if not ok:
                    print(done.stdout[-1500:], done.stderr[-1500:])
                else:
                    json.loads(done.stdout)
        finally:
            subprocess.run([kortana, "down"], cwd=folder, check=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
