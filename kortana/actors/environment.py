"""The environment of a worker: this process's, its env_file, its env, and what tells it who it is."""

import os
from pathlib import Path

from kortana.agent.pace import TIMEOUT_VARIABLE
from kortana.config.spec import WorkerSpec

MAX_FILE_BYTES = 1 << 20


class EnvFileError(Exception):
    """An env_file that cannot be used; names file and line."""


def read_env_file(path: Path) -> dict[str, str]:
    """`KEY=value` lines; blank lines and those that begin with # do not count; quotes around a value are taken off.

    Raises EnvFileError.
    """
    found = {}
    try:
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            raise EnvFileError(f"{path}: a file of at most {MAX_FILE_BYTES} bytes is needed")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EnvFileError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        key, equals, value = text.partition("=")
        if not equals or not key.strip().replace("_", "a").isalnum():
            raise EnvFileError(f"{path}:{number}: KEY=value is needed")
        if "\0" in value:
            raise EnvFileError(f"{path}:{number}: a NUL, which no process can be given")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[key.strip()] = value
    return found


def worker_environment(
    spec: WorkerSpec, name: str, incarnation: int, token: str, project: str, socket: str, run_id: str
) -> dict[str, str]:
    """Everything that one incarnation finds in its environment. Raises EnvFileError."""
    found = {key: value for key, value in os.environ.items() if not key.startswith("KORTANA_")}
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
