"""Where the socket of a running tree stands, and how to find it."""

import os
import socket
from pathlib import Path
from typing import Any

from kortana.protocol.parsing import parse_json
from kortana.transport.reached import fits, reached

SOCKET_NAME = "kortana.sock"


def listen_for(run_folder: Path) -> tuple[Path, socket.socket]:
    """A socket that listens as `run/kortana.sock`, or, where that is not possible, in the owner's temp folder. Raises
    OSError. The data folder's lock must be held."""
    path = run_folder / SOCKET_NAME
    if fits(path):
        try:
            return path, listen(path)
        except OSError:  # the file system has none, such as that of a USB stick
            path.unlink(missing_ok=True)
    path = _elsewhere(path)
    return path, listen(path)


def why_not_listen_in(run_folder: Path) -> str:
    """Why no socket can stand in a folder, for a person; empty where one can."""
    if not fits(run_folder / SOCKET_NAME):
        return "the path is too long"
    trial = run_folder / ".trial"
    try:
        listen(trial).close()
    except OSError as error:
        return f"no socket can stand in the data folder ({error.strerror})"
    finally:
        trial.unlink(missing_ok=True)
    return ""


def _elsewhere(path: Path) -> Path:
    """A short path in the owner's temp folder, always the same one for the same path."""
    import hashlib  # both take their time, and few need them
    import tempfile

    digest = hashlib.blake2b(os.fsencode(path), digest_size=8).hexdigest()
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"kortana-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder / SOCKET_NAME


def listen(path: Path) -> socket.socket:
    """A listening Unix socket with mode 0600, in place of any left behind. The data folder's lock must be held."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old_mask = os.umask(0o177)
    try:
        listener.bind(str(path))
        listener.listen(512)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(old_mask)
    listener.setblocking(False)
    return listener


def read_endpoint(run_folder: Path) -> dict[str, Any] | None:
    """The endpoint file's content, or None where no tree has left one."""
    try:
        found = parse_json((run_folder / "endpoint.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def find_socket(run_folder: Path) -> str | None:
    """The socket of the tree that runs there, or None where none has left an endpoint file that names one."""
    said = (read_endpoint(run_folder) or {}).get("socket")
    return reached(str(run_folder), said) if isinstance(said, str) else None
