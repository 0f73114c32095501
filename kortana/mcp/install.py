"""`kortana mcp install`: registers the server in a client's project configuration, and takes exactly that away."""

import json
import re
import sys
from pathlib import Path
from typing import Any

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


class InstallError(Exception):
    """A file that cannot be changed; says which and why."""


def changed(client: str, root: Path, uninstall: bool) -> tuple[Path, str | None, str | None]:
    """The client's file, its text now, and afterwards; None for no file. Raises InstallError."""
    path = root / (CODEX_FILE if client == "codex" else CLIENTS[client][0])
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise InstallError(f"{path}: {error}") from None
    after = _codex(path, before, uninstall) if client == "codex" else _json(client, path, before, uninstall)
    return path, before, after


def _json(client: str, path: Path, before: str | None, uninstall: bool) -> str | None:
    _, key, entry = CLIENTS[client]
    try:
        found = json.loads(before) if before and before.strip() else {}
    except ValueError as error:
        raise InstallError(f"{path}: not JSON ({error}); nothing was changed") from None
    if not isinstance(found, dict) or not isinstance(found.get(key, {}), dict):
        raise InstallError(f"{path}: an object with an object {key!r} is needed; nothing was changed")
    servers = found.get(key, {})
    if uninstall:
        if "kortana" not in servers:
            return before
        del servers["kortana"]
        if not servers:
            found.pop(key, None)
        if not found:
            return None
    else:
        if servers.get("kortana") == entry:
            return before
        found.setdefault(key, {})["kortana"] = entry
    indent = re.search(r"\n([ \t]+)\S", before or "")
    return json.dumps(found, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"


def _codex(path: Path, before: str | None, uninstall: bool) -> str | None:
    text = before or ""
    ours = re.search(re.escape(BEGIN) + r".*?" + re.escape(END) + r"\n?", text, re.DOTALL)
    if ours is None and re.search(r"^\s*\[mcp_servers\.kortana\]", text, re.MULTILINE):
        raise InstallError(f"{path}: has an entry for kortana that somebody else has written; nothing was changed")
    if uninstall:
        if ours is None:
            return before
        rest = text[: ours.start()].removesuffix("\n") + text[ours.end() :] if ours.start() else text[ours.end() :]
        rest = rest if rest.endswith("\n") or not rest else rest + "\n"
        return rest or None
    if ours is not None:
        return text[: ours.start()] + _TOML + text[ours.end() :]
    return (text + ("" if text.endswith("\n") or not text else "\n") + ("\n" if text else "")) + _TOML


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
        elif after is None:
            path.unlink()
            print(f"{path}: removed")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(after, encoding="utf-8")
            print(f"{path}: written")
    except (InstallError, OSError) as error:
        print(f"kortana mcp install: {error}", file=sys.stderr)
        return 1
    return 0
