"""A connection for who loads next to nothing: `_socket` is what the socket module wraps."""

import _socket


def connect(path: str, timeout_s: float) -> _socket.socket:
    """To the hub that listens there. Raises OSError."""
    found = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    found.settimeout(timeout_s)
    found.connect(path)
    return found
