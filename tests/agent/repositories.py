"""Repositories made with real git."""

import os
import subprocess
from pathlib import Path

from kortana.agent.worktree import Worktree


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


def done(repository: Path, name: str = "work", task: str = "t") -> Worktree:
    """A worktree in which an agent has done its task, committed."""
    tree = Worktree(repository, task)
    edit(tree.folder, "done\n", name, commit=False)
    assert tree.commit("t") and tree.changed() == [name]
    return tree


def hook(repository: Path, name: str, script: str) -> None:
    path = repository / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
