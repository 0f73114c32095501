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


decode_orders = msgspec.json.Decoder(Orders).decode
