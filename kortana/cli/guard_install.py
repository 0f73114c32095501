"""`kortana guard install`: puts the guard into a project's Claude Code settings and its git hook, and out again."""

import os
import re
import subprocess
import sys

from kortana.adapters.files.jsonc import MISSING, Entry
from kortana.adapters.files.personal import read_personal, replace_personal
from kortana.mcp.install import warn_where_not_found

KINDS = ("claude", "git")
_HOOK = Entry(("hooks", "PreToolUse"), None, {
    "matcher": "Edit|MultiEdit|Write|NotebookEdit",
    "hooks": [{"type": "command", "command": "kortana guard hook"}],
})  # fmt: skip
_SHELLS = re.compile(r"#![^\n]*\b(sh|bash|dash|zsh|ksh)\b")
BEGIN, END = "# >>> kortana guard >>>", "# <<< kortana guard <<<"
_PRE_COMMIT = f"""\
{BEGIN}
if command -v kortana >/dev/null; then kortana guard commit || exit 1
else echo "kortana guard: there is no kortana in PATH; this commit was not looked at" >&2; fi
{END}
"""


def guard_install_main(words: list[str], root: str) -> int:
    """`install [claude] [git] [--uninstall]`; gives the exit code. root: the project's."""
    away = "--uninstall" in words
    kinds = [word for word in words if word != "--uninstall"] or list(KINDS)
    for kind in kinds:
        if kind not in KINDS:
            print(f"kortana guard install: {kind!r} is none of {', '.join(KINDS)}", file=sys.stderr)
            return 2
    try:
        for kind in kinds:
            print(_install_claude(root, away) if kind == "claude" else _install_git(away))
        if not away:
            warn_where_not_found()
    except (OSError, ValueError) as error:
        print(f"kortana guard install: {error}", file=sys.stderr)
        return 1
    return 0


def _install_claude(root: str, away: bool) -> str:
    path = os.path.join(root, ".claude", "settings.json")
    try:
        before = read_personal(path)
        is_there = _HOOK.found(before or "") is not MISSING
        if is_there != away:
            return f"{path}: nothing to change"
        after = _HOOK.removed(before or "") if away else _HOOK.added(before or "")
    except ValueError as error:
        raise ValueError(f"{path}: not the settings of Claude Code ({error}); nothing was changed") from None
    return _write(path, after, away)


def _install_git(away: bool) -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--git-path", "hooks/pre-commit"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ValueError("there is no git repository here")
    path = os.path.abspath(done.stdout.removesuffix("\n"))
    try:
        before = read_personal(path)
        rest, is_there = _without_ours(before or "")
        after = rest if away else _with_ours(rest)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; nothing was changed") from None
    if after == before or (away and not is_there):
        return f"{path}: nothing to change"
    return _write(path, None if after.strip() in ("", "#!/bin/sh") else after, away, executable=True)


def _without_ours(text: str) -> tuple[str, bool]:
    """The hook as it would be without us, and whether we are in it."""
    at = text.find(BEGIN)
    if at < 0:
        return text, False
    end = text.find(END, at)
    if end < 0:
        raise ValueError(f"the line {END!r} is missing")
    return text[:at] + text[end + len(END) :].removeprefix("\n"), True


def _with_ours(text: str) -> str:
    """First of all: what stands there may end with `exec` or `exit`."""
    if not text.strip():
        return "#!/bin/sh\n" + _PRE_COMMIT
    if not text.startswith("#!"):
        return _PRE_COMMIT + text
    if not _SHELLS.match(text):
        raise ValueError("is no shell script; have it run `kortana guard commit`, and fail where that fails")
    first, newline, rest = text.partition("\n")
    return first + (newline or "\n") + _PRE_COMMIT + rest


def _write(path: str, after: str | None, away: bool, executable: bool = False) -> str:
    replace_personal(path, after, executable)
    return f"{path}: {'removed' if after is None else 'taken out' if away else 'written'}"
