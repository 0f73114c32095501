"""Where a Kortana's socket is reached from here. Imports next to nothing: `kortana agent` does."""

import os

MAX_SOCKET_PATH = 100
"""Bytes; Linux takes 107, BSDs 103."""


def fits(path: str | os.PathLike[str]) -> bool:
    """Whether a socket can have this path."""
    return len(os.fsencode(path)) <= MAX_SOCKET_PATH


def reached(run_folder: str, said: str) -> str:
    """The socket that the endpoint file in `run_folder` names.

    One that stands beside that file is reached there: for who wrote the file, in a container say, the folder may have
    another path, and at that path there may be another Kortana's here.
    """
    folder, name = os.path.split(said)
    beside = os.path.join(run_folder, name)
    return beside if os.path.basename(folder) == os.path.basename(run_folder) and fits(beside) else said
