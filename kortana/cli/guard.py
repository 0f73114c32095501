"""`kortana guard`: refuses edits that no lease covers, as a Claude Code PreToolUse hook and a git pre-commit hook.

A hook stands before every edit, so this loads as little as `kortana agent` does.
"""

from __future__ import annotations

import os
import subprocess
import sys

from kortana.cli.conversation import Conversation
from kortana.cli.errors import CliError
from kortana.protocol.coverage import in_parts, objection
from kortana.protocol.parsing import parse_json

USAGE = """\
usage: kortana guard hook                       as a Claude Code PreToolUse hook: reads the call on stdin
       kortana guard commit                     as a git pre-commit hook: looks at what is staged
       kortana guard check PATH...              may I edit these?  [--as NAME]
       kortana guard install [claude] [git] [--uninstall]

Speaks as $KORTANA_AGENT, or --as NAME. kortana.yaml says `guard: off | warn | enforce`. Exit codes: 0 may be edited,
2 refused."""
MAX_SHOWN = 20
REFUSED = 2
"""What Claude Code takes as a refusal, with stderr as its reason."""


def guard_main(words: list[str]) -> int:
    """Runs one command; gives its exit code."""
    name = os.environ.get("KORTANA_AGENT", "")
    if "--as" in words and words.index("--as") + 1 < len(words):
        at = words.index("--as")
        name = words[at + 1]
        words = words[:at] + words[at + 2 :]
    command, rest = (words[0] if words else ""), words[1:]
    if command == "hook":
        return _judge(_hook_paths(), name)
    if command == "commit":
        return _judge(_staged(), name or _git_name())
    if command == "check" and rest:
        return _judge(rest, name)
    if command == "install":
        from kortana.cli.guard_install import guard_install_main

        return guard_install_main(rest, _root())
    print(USAGE)
    return 0 if command in ("-h", "--help") else 2


def _judge(paths: list[str], name: str) -> int:
    """Asks the running Kortana; without one there is nobody to guard against."""
    inside = [path for path in (_below_root(path) for path in paths) if path is not None]
    if not inside:
        return 0
    try:
        with Conversation(name or f"guard-{os.getpid()}", {}, receive=False) as asked:
            mode = asked.welcome.get("guard", "warn")
            parts = in_parts(inside) if mode != "off" else []
            wrong = [text for part in parts for text in _objections(asked, part, name)]
    except CliError as error:
        if error.code != "refused":
            return 0
        wrong = [error.message]
    for text in wrong[:MAX_SHOWN]:
        print(f"kortana guard: {text}", file=sys.stderr)
    if len(wrong) > MAX_SHOWN:
        print(f"kortana guard: and {len(wrong) - MAX_SHOWN} more", file=sys.stderr)
    return REFUSED if wrong and mode == "enforce" else 0


def _objections(asked: Conversation, paths: list[str], name: str) -> list[str]:
    payload = {"command": "coverage", "args": {"agent": name, "paths": paths}}
    answer = asked.ask("COMMAND", "coordinator", None, payload, 5.0)
    if not answer["accepted"]:
        detail = (answer.get("result") or {}).get("detail", "")
        raise CliError(REFUSED, "refused", f"{paths[0][:200]}: not looked at: {answer['reason']} {detail}".rstrip())
    wrong = [objection(path, found, name) for path, found in answer["result"].items()]
    return [f"{each.fact}; {each.advice}" for each in wrong if each is not None]


def _root() -> str:
    folder = os.getcwd()
    while not os.path.exists(os.path.join(folder, "kortana.yaml")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return os.getcwd()
        folder = parent
    return folder


def _below_root(path: str) -> str | None:
    """The path from the project's root, also out of a task's worktree; None where it lies elsewhere."""
    root = os.path.realpath(_root())
    full = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(path))), os.path.basename(path))
    if not full.startswith(root + os.sep):
        return None
    below = full[len(root) + 1 :].replace(os.sep, "/")
    parts = below.split("/")
    return "/".join(parts[3:]) if parts[:2] == [".kortana", "worktrees"] else below


def _hook_paths() -> list[str]:
    """What the call is to edit: a link, and what it leads to, which is what changes."""
    try:
        call = parse_json(sys.stdin.read() or "{}")
        args = call.get("tool_input") or {}
        found = [args[key] for key in ("file_path", "notebook_path", "path") if isinstance(args.get(key), str)]
        folder = call.get("cwd")
    except (ValueError, AttributeError):
        return []
    paths = [os.path.join(folder, path) if isinstance(folder, str) else path for path in found]
    return paths + [os.path.realpath(path) for path in paths if os.path.islink(path)]


def _staged() -> list[str]:
    """What is staged, a file that was renamed under both its names, whatever `git diff` shows to people."""
    words = ["-c", "diff.relative=false", "diff", "--cached", "--no-renames", "--name-only", "-z"]
    done = subprocess.run(["git", *words], capture_output=True, check=False)
    found = subprocess.run(["git", "rev-parse", "--show-toplevel"], capture_output=True, check=False)
    top = os.fsdecode(found.stdout.removesuffix(b"\n"))
    return [os.path.join(top, os.fsdecode(path)) for path in done.stdout.split(b"\0") if path]


def _git_name() -> str:
    done = subprocess.run(["git", "config", "kortana.agent"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
