"""What a process that stands by is told to become."""

import msgspec

from kortana.ports import ProcessSpec


class Orders(msgspec.Struct, frozen=True):
    """One worker, and what its process enters or is named before it begins."""

    spec: ProcessSpec
    folders: list[str]
    """Cgroups with limits."""
    name: bytes | None
    """Its name in /proc."""
    raw_env: list[tuple[bytes, bytes]]
    """Variables beside the spec's, which are no UTF-8."""


decode_orders = msgspec.json.Decoder(Orders).decode
