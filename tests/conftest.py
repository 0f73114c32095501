"""Hypothesis: the same examples in each `make test`, further ones in `make test-long`, and never by the clock."""

import os

from hypothesis import settings

settings.register_profile("kortana", deadline=None, derandomize=not os.environ.get("KORTANA_LONG"), print_blob=True)
settings.load_profile("kortana")
