"""Where a project's data stands, told without reading more of its configuration than that takes."""

import os
import re
import stat
from pathlib import Path

from kortana.config.plainly import said_data_dir

FILE_NAME = "kortana.yaml"
_SAID = r"""^data_dir:\s*["']?([^"'#$\n]+?)["']?\s*(?:#.*)?$"""


def why_no_file(path: Path, named: object) -> str:
    """Why there is no regular file to be read, called by what a person has named it; empty where there is one.

    Path.is_file() takes what may not be looked at for missing, from Python 3.14 on.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a NUL in its name
        return f"there is no file {named}"
    except OSError as error:
        return f"{named}: {error.strerror}"
    return "" if stat.S_ISREG(mode) else f"{named} is no file"


def plain_data_dir(path: Path) -> Path | None:
    """The data folder of a configuration whose text leaves no doubt about it, whether or not `up` has made it."""
    text = _text_of(path)
    said = None if text is None else said_data_dir(text)
    return None if said is None else (path.resolve().parent / said).resolve()


def data_dir_in(path: Path) -> Path | None:
    """What a configuration that cannot be used still says of its data folder, where there is one."""
    text = _text_of(path)
    if text is None:
        return None
    said = re.search(_SAID, text, re.MULTILINE)
    if said is None and re.search(r"^data_dir\b", text, re.MULTILINE):
        return None
    folder = path.resolve().parent / os.path.expanduser(said[1] if said else "data")
    return folder if has_run(folder) else None


def data_dir_above(root: Path) -> Path:
    """The data folder of the nearest project at or above a folder in which Kortana has run, whatever else is wrong with
    its configuration; where there is none, that of the nearest one, or `data`. root: may be a configuration itself."""
    if root.is_file():
        return _data_dir_of(root)
    nearest = None
    for folder in (root, *root.parents):
        config = folder / FILE_NAME
        said = _data_dir_of(config) if config.is_file() else None
        for found in (said, folder / "data"):
            if found is not None and has_run(found):
                return found
        nearest = nearest or said
    return nearest or root / "data"


def has_run(data_dir: Path) -> bool:
    """Whether Kortana has run there, as far as one may look."""
    return os.path.isdir(data_dir / "run")  # Path.is_dir raises where one may not


def _data_dir_of(path: Path) -> Path:
    found = plain_data_dir(path)
    if found is not None:
        return found
    from kortana.config.load import load_config  # takes longer than all the rest, and few need it
    from kortana.config.nodes import ConfigError

    try:
        return Path(load_config(path).data_dir)
    except (ConfigError, OSError):
        return data_dir_in(path) or path.resolve().parent / "data"


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
