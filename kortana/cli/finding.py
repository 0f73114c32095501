"""Which kortana.yaml is meant, and what it says."""

from pathlib import Path
from typing import TYPE_CHECKING

from kortana.cli.errors import USAGE, CliError
from kortana.config.whereabouts import FILE_NAME, why_no_file

if TYPE_CHECKING:
    from kortana.config.spec import Config


def find_file(file: Path | None) -> Path:
    """The configuration file. Raises CliError."""
    if file is not None:
        if missing := why_no_file(file, file):
            raise CliError(USAGE, "no_config", missing)
        return file
    for path in places():
        if path.is_file():
            return path
    other = Path.cwd() / f"{Path(FILE_NAME).stem}.yml"
    hint = f"rename {other.name} to {FILE_NAME}" if other.is_file() else "write one with `kortana init`"
    raise CliError(USAGE, "no_config", f"there is no {FILE_NAME} here or above", hint)


def places() -> list[Path]:
    """Where one may be that nobody names: here, or in a folder above, the nearest first."""
    here = Path.cwd()
    return [folder / FILE_NAME for folder in (here, *here.parents)]


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
