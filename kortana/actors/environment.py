"""The environment of a worker: this process's, its env_file, its env, and what tells it who it is."""

import io
import os
import re
import shutil
import stat
import sys
from collections import ChainMap
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from kortana.agent.pace import TIMEOUT_VARIABLE
from kortana.config.spec import WorkerSpec

MAX_FILE_BYTES = 64 << 10
"""It is read at each start, and its parser takes its time."""
_REFERENCE = re.compile(r"\$\{([^}:$]*)(?::-([^}]*))?\}")


class EnvFileError(Exception):
    """An env_file that cannot be used; names file and line."""


def read_env_file(path: Path) -> dict[str, str]:
    """What a `.env` file says, as docker compose and others read it: `KEY=value` lines, comments, quotes (in which a
    value may have several lines), `${OTHER}` and `${OTHER:-default}`.

    Raises EnvFileError.
    """
    from dotenv.parser import parse_stream  # loads a good deal, and few workers have one

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise EnvFileError(f"{path}: a file of at most {MAX_FILE_BYTES} bytes is needed")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise EnvFileError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    values: dict[str, str] = {}
    for found in parse_stream(io.StringIO(text)):
        source = found.original.string
        line = found.original.line + source[: len(source) - len(source.lstrip())].count("\n")
        if found.error or (found.key is not None and (found.value is None or not _is_key(found.key))):
            raise EnvFileError(f"{path}:{line}: KEY=value is needed")
        if "\0" in source:
            raise EnvFileError(f"{path}:{line}: a NUL, which no process can be given")
        if found.key is not None and found.value is not None:
            values[found.key] = _filled_in(found.value, ChainMap(values, os.environ))
    return values


def _is_key(text: str) -> bool:
    return text.replace("_", "a").isalnum()


def _filled_in(value: str, known: Mapping[str, str]) -> str:
    """With what its references stand for. Linear, whatever the value is."""
    end = value.rfind("}") + 1
    return _REFERENCE.sub(lambda found: known.get(found[1], found[2] or ""), value[:end]) + value[end:]


@lru_cache(maxsize=16)
def _with_kortana(path: str) -> str:
    """A PATH in which there is the command with which a worker's scripts speak, wherever it was called from."""
    own = os.path.dirname(sys.executable)
    if shutil.which("kortana", path=path) or not os.access(os.path.join(own, "kortana"), os.X_OK):
        return path
    return f"{path}{os.pathsep}{own}" if path else own


def worker_environment(
    spec: WorkerSpec, name: str, incarnation: int, token: str, project: str, socket: str, run_id: str
) -> dict[str, str]:
    """Everything that one incarnation finds in its environment. Raises EnvFileError."""
    found = {key: value for key, value in os.environ.items() if not key.startswith("KORTANA_")}
    found["PATH"] = _with_kortana(found.get("PATH", os.defpath))
    found["PWD"] = os.path.abspath(spec.cwd)  # some programs trust it, where they are started elsewhere than its shell
    if spec.env_file is not None:
        found.update(read_env_file(Path(spec.env_file)))
    found.update(spec.env)
    found.update(
        KORTANA_AGENT=name,
        KORTANA_TOKEN=token,
        KORTANA_SOCKET=socket,
        KORTANA_PROJECT=project,
        KORTANA_INCARNATION=str(incarnation),
        KORTANA_RUN=run_id,
    )
    if spec.liveness.heartbeat_timeout > 0:
        found[TIMEOUT_VARIABLE] = f"{spec.liveness.heartbeat_timeout:g}"
    found.setdefault("PYTHONUNBUFFERED", "1")
    return found
