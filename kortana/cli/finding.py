"""Which kortana.yaml is meant, and where its data stands, without reading more than that takes."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from kortana.cli.errors import USAGE, CliError
from kortana.cli.plainly import said_data_dir

if TYPE_CHECKING:
    from kortana.config.spec import Config

FILE_NAME = "kortana.yaml"


def find_file(file: Path | None) -> Path:
    """The configuration file. Raises CliError."""
    if file is not None:
        if not file.is_file():
            raise CliError(USAGE, "no_config", f"there is no file {file}")
        return file
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    other = (here / FILE_NAME).with_suffix(".yml")
    hint = f"rename {other.name} to {FILE_NAME}" if other.is_file() else "write one with `kortana init`"
    raise CliError(USAGE, "no_config", f"there is no {FILE_NAME} here or above", hint)


def load(file: Path | None) -> "Config":
    """The effective configuration. Raises CliError with every problem, a line each."""
    from kortana.config.load import load_config
    from kortana.config.nodes import ConfigError

    try:
        return load_config(find_file(file))
    except ConfigError as error:
        count = len(error.problems)
        hint = "nothing was started" if count == 1 else f"{count} problems; nothing was started"
        raise CliError(USAGE, "config", str(error), hint) from None


def plain_data_dir(path: Path) -> Path | None:
    """The data folder, where `up` has made it, of a configuration whose text leaves no doubt about it."""
    text = _text_of(path)
    said = None if text is None else said_data_dir(text)
    folder = None if said is None else (path.resolve().parent / said).resolve()
    return folder if folder is not None and (folder / "run").is_dir() else None


_DATA_DIR = re.compile(r"""^data_dir:\s*["']?([^"'#$\n]+?)["']?\s*(?:#.*)?$""", re.MULTILINE)


def data_dir_in(path: Path) -> Path | None:
    """What a configuration that cannot be used still says of its data folder, where there is one."""
    text = _text_of(path)
    if text is None:
        return None
    said = _DATA_DIR.search(text)
    if said is None and re.search(r"^data_dir\b", text, re.MULTILINE):
        return None
    folder = path.resolve().parent / os.path.expanduser(said[1] if said else "data")
    return folder if (folder / "run").is_dir() else None


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
