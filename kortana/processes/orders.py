"""What a process that stands by is told to become."""

import msgspec

from kortana.processes.messages import Start


class Orders(msgspec.Struct, frozen=True):
    """One worker, and what its process enters or is named before it begins."""

    start: Start
    folders: list[str]
    """Cgroups with limits."""
    name: bytes | None
    """Its name in /proc."""


ORDERS_END, GO = b"\n", b"g"
"""On the pipe that it reads: its orders as JSON, their end, and then, perhaps later, the word to begin."""

decode_orders = msgspec.json.Decoder(Orders).decode
