"""`kortana mcp install`: registers the server in a client's project configuration, and takes exactly that away."""

import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kortana.adapters.files.jsonc import MISSING, Entry
from kortana.adapters.files.personal import read_personal, replace_personal

BEGIN, END = "# >>> kortana mcp >>>", "# <<< kortana mcp <<<"
_TOML = f"""\
{BEGIN}
[mcp_servers.kortana]
command = "kortana"
args = ["mcp"]
required = true
{END}
"""
_ENTRY = {"command": "kortana", "args": ["mcp"]}
CLIENTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "claude": (".mcp.json", "mcpServers", {"type": "stdio", **_ENTRY, "env": {}}),
    "gemini": (".gemini/settings.json", "mcpServers", _ENTRY),
    "opencode": ("opencode.json", "mcp", {"type": "local", "command": ["kortana", "mcp"], "enabled": True}),
}
"""Client → its file, the key that servers stand under, our entry."""
CODEX_FILE = ".codex/config.toml"
NEXT = {
    "claude": "Claude Code asks once whether this server may be used; /mcp shows it",
    "codex": "Codex reads this file in a project that it trusts: start it here once, and say yes",
    "gemini": "Gemini CLI reads this file in a folder that it trusts; headless it has these tools only where the entry"
    ' says "trust": true',
    "opencode": "OpenCode uses it from its next start",
}
"""What is left to a person, as the clients of 2026 have it."""


class InstallError(Exception):
    """A file that cannot be changed; says which and why."""


def changed(client: str, root: Path, uninstall: bool) -> tuple[Path, str | None, str | None]:
    """The client's file, its text now, and afterwards; None for no file. Raises InstallError."""
    path = root / (CODEX_FILE if client == "codex" else CLIENTS[client][0])
    try:
        before = read_personal(str(path))
        change = _codex if client == "codex" else _json(client)
        return path, before, change(before, uninstall)
    except (OSError, ValueError) as error:
        raise InstallError(f"{path}: {error}; nothing was changed") from None


def _json(client: str) -> Callable[[str | None, bool], str | None]:
    _, key, ours = CLIENTS[client]
    entry = Entry((key,), "kortana", ours)

    def change(before: str | None, uninstall: bool) -> str | None:
        found = entry.found(before or "")
        if uninstall:
            return before if found is MISSING else entry.removed(before or "")
        if found is MISSING:
            return entry.added(before or "")
        if found != ours:
            raise ValueError("has another entry for kortana; `--uninstall` takes it out")
        return before

    return change


def _codex(before: str | None, uninstall: bool) -> str | None:
    text = before or ""
    ours = re.search(re.escape(BEGIN) + r".*?" + re.escape(END) + r"\r?\n?", text, re.DOTALL)
    if ours is None:
        servers = tomllib.loads(text).get("mcp_servers", {})
        if not isinstance(servers, dict) or "kortana" in servers:
            raise ValueError("has an entry for kortana that somebody else has written")
    if uninstall:
        if ours is None:
            return before
        head, tail = text[: ours.start()], text[ours.end() :]
        shorter = head.removesuffix("\n").removesuffix("\r") + tail
        return (shorter if _appended(shorter) == text else head + tail) or None
    if ours is not None:
        return text[: ours.start()] + _block(text) + text[ours.end() :]
    after = _appended(text)
    tomllib.loads(after)
    return after


def _block(text: str) -> str:
    return _TOML.replace("\n", "\r\n") if "\r\n" in text else _TOML


def _appended(text: str) -> str:
    """A text whose last line has its end gets an empty line before ours, another one only that end."""
    return text + (("\r\n" if "\r\n" in text else "\n") if text else "") + _block(text)


def warn_where_not_found() -> None:
    """Whoever is to call `kortana` by its name looks for it in PATH; a virtual environment's is there only in its own
    shells."""
    if shutil.which("kortana") is None:
        own = Path(sys.executable).parent
        what = f"there is no kortana in PATH: put {own} there, where the client is started"
        print(f"kortana: warning: {what}", file=sys.stderr)


def install_main(words: list[str]) -> int:
    """`install CLIENT [--uninstall] [--dry-run] [--root FOLDER]`; gives the exit code."""
    flags = {word for word in words if word in ("--uninstall", "--dry-run")}
    rest = [word for word in words if word not in flags]
    root = Path(".")
    if "--root" in rest and rest.index("--root") + 1 < len(rest):
        at = rest.index("--root")
        root = Path(rest[at + 1])
        del rest[at : at + 2]
    if len(rest) != 1 or rest[0] not in (*CLIENTS, "codex"):
        print("kortana mcp install: one of claude, codex, gemini, opencode is needed", file=sys.stderr)
        return 2
    if not root.is_dir():
        print(f"kortana mcp install: {root}: there is no such folder", file=sys.stderr)
        return 2
    try:
        path, before, after = changed(rest[0], root, "--uninstall" in flags)
        if "--dry-run" in flags:
            what = "no change" if before == after else "would be removed" if after is None else "would be"
            print(f"{path}: {what}")
            if after is not None and before != after:
                print(after, end="")
            return 0
        if before == after:
            print(f"{path}: nothing to change")
        else:
            replace_personal(str(path), after)
            print(f"{path}: {'removed' if after is None else 'written'}")
            if "--uninstall" not in flags:
                print(f"  next: {NEXT[rest[0]]}")
        if "--uninstall" not in flags:
            warn_where_not_found()
    except (InstallError, OSError) as error:
        print(f"kortana mcp install: {error}", file=sys.stderr)
        return 1
    return 0
