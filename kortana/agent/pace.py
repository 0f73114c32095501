"""How often to speak: often enough for a lease, and for a supervisor that takes a silent worker for hung."""

import os

TIMEOUT_VARIABLE = "KORTANA_HEARTBEAT_TIMEOUT"
"""In a supervised worker's environment: its liveness.heartbeat_timeout in seconds; not there where it has none."""
TIMES = 3
"""So often in the time that is allowed."""
NOTHING_NEW = ""
"""As what an ACK confirms: no event. All that it says is that somebody is there."""


def sign_of_life_every_s() -> float | None:
    """None where nobody minds silence."""
    try:
        timeout_s = float(os.environ.get(TIMEOUT_VARIABLE, ""))
    except ValueError:
        return None
    return timeout_s / TIMES if timeout_s > 0 else None


def renew_every_s(ttl_s: float) -> float:
    """Of a lease with that TTL."""
    return min(ttl_s / TIMES, sign_of_life_every_s() or ttl_s)
