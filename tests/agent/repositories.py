"""Repositories made with real git."""

import os
import subprocess
from pathlib import Path


def git(folder: Path, *words: str, ok: bool = True, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, env=environment)
    assert not ok or done.returncode == 0, (words, done.stderr)
    return done.stdout.strip()


def made(folder: Path) -> Path:
    """One with a commit on main, in which there is a file."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "-b", "main")
    edit(folder, "begin\n")
    return folder


def edit(folder: Path, text: str, name: str = "file", *, commit: bool = True) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if commit:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", text.strip())
