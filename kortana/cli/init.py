"""`kortana init`: a commented kortana.yaml and config/ for an empty project."""

from pathlib import Path

import click

from kortana.adapters.files.layout import DataLayout
from kortana.cli.common import json_option, print_json
from kortana.cli.errors import FAILED, CliError
from kortana.config.whereabouts import FILE_NAME

_YAML = """\
# Workers and tasks of this project. `kortana config check` tells what is wrong; `kortana up` starts it.
version: 1
# project: my-team             # default: this folder's name
{data_dir}

defaults:                      # merged under every worker
  restart: permanent           # permanent | transient | temporary
  backoff: {initial: 100ms, max: 30s}

workers:
  worker:
    agent: shell               # claims tasks and runs their `run:` with /bin/sh
    profile: config/agents/shell.yaml
    replicas: 2
  # claude:                    # Claude Code on the `prompt:` of tasks; or codex, gemini, opencode, any other (`cli`)
  #   agent: claude
  #   quota_delay: 30m
  #   cli: {worktree: true, merge: true}              # each task on a branch of its own, merged when it is done
  # server:
  #   command: ["./server.sh", "--port", "8080"]      # any long-running command
  #   ready: {type: log, pattern: "listening"}
  # robot:
  #   entrypoint: my_pkg.workers:run                  # def run(agent: AgentInterface), in Kortana's own Python

tasks:
  - id: hello
    title: Say hello
    run: echo "hello from $KORTANA_AGENT"
  - id: goodbye
    title: Say goodbye, once hello has been said
    run: echo "goodbye from $KORTANA_AGENT"
    depends_on: [hello]
  # - id: parser
  #   prompt: Make src/parser.py faster, and run the tests.
  #   paths: ["src/parser.py", "tests/**"]            # kept for whoever works on it
"""
_USUAL = "# data_dir: data               # the journal, snapshots, logs"
_OTHER = "data_dir: .kortana/data        # the journal, snapshots, logs; data/ is this project's own"
_PROFILE = """\
# Merged under the keys of each worker that names this file.
ready: {type: hello, timeout: 30s}
stop: {signal: SIGTERM, grace: 10s}
"""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("."))
@json_option
def init(folder: Path, as_json: bool) -> int:
    """Write kortana.yaml and config/ into a project. Touches no file that is there."""
    if (folder / FILE_NAME).exists():
        raise CliError(FAILED, "exists", f"{folder / FILE_NAME} is there already", "nothing was written")
    files = {
        folder / FILE_NAME: _YAML.replace("{data_dir}", _OTHER if _is_own(folder / "data") else _USUAL),
        folder / "config" / "agents" / "shell.yaml": _PROFILE,
    }
    written = []
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text, encoding="utf-8")
            written.append(str(path))
    print_json({"written": written}) if as_json else print(
        "wrote " + ", ".join(written) + "\nnext: kortana up --exit-when-done"
    )
    return 0


def _is_own(data: Path) -> bool:
    """Whether a folder is in use, and not by Kortana."""
    names = {path.name for path in data.iterdir()} - {".gitignore"} if data.is_dir() else set()
    return bool(names) and not DataLayout(data).journal.exists()


COMMANDS = {"init": init}
