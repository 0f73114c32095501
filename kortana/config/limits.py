"""The coordinator's settings from the configuration's."""

from kortana.config.spec import Config
from kortana.core.limits import Limits


def limits_from(config: Config) -> Limits:
    """`coordinator:` in the core's terms."""
    spec = config.coordinator
    return Limits(
        lease_ttl_s=spec.lease_ttl,
        max_lease_ttl_s=spec.max_lease_ttl,
        max_attempts=spec.max_attempts,
        max_leases_per_agent=spec.max_leases_per_agent,
        adhoc_tasks=spec.adhoc_tasks,
        mailbox_limit=spec.mailbox_limit,
    )
