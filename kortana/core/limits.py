"""The coordinator's settings, as they stand in the journal."""

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """CONTRACT section 1, `coordinator`. Times in seconds."""

    lease_ttl_s: float = 120.0
    max_lease_ttl_s: float = 3600.0
    max_attempts: int = 3
    max_leases_per_agent: int = 16
    adhoc_tasks: bool = True
    mailbox_limit: int = 1000
    answers_kept: int = 10_000
    """So many of the latest answers at least, and twice as many at most, are kept for repeats of an id."""
    pending_kept: int = 10_000
    """How many undecided inputs (waiting claims) are kept."""
