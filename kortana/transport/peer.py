"""Who is at the other end of a Unix socket, as the kernel tells it."""

import os
import socket
import struct

import msgspec

_UCRED = struct.Struct("3i")


class Peer(msgspec.Struct, frozen=True):
    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """The process and the user that connected (SO_PEERCRED)."""
    pid, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return Peer(pid, uid)


def is_owner(peer: Peer) -> bool:
    """Whether the other end runs as this process's user."""
    return peer.uid == os.geteuid()
