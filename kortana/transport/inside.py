"""Whether this process speaks as the worker that it belongs to: to the Kortana that started it, and to no other.

A worker may use the Kortana of another project, in a test or in a folder below its own, as any program may.
Imports next to nothing: `kortana agent` does.
"""

import os


def is_own(socket: str) -> bool:
    """Whether the Kortana that listens there is the one that this process is a worker's of."""
    if not os.environ.get("KORTANA_TOKEN"):
        return False
    own = os.environ.get("KORTANA_SOCKET")
    return own is None or os.path.realpath(own) == os.path.realpath(socket)


def token_for(name: str, socket: str) -> str | None:
    """What proves there that this process is the worker `name`; None where it is not."""
    return os.environ.get("KORTANA_TOKEN") if name == os.environ.get("KORTANA_AGENT") and is_own(socket) else None
