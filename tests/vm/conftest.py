"""Only where `tests/vm/run` has made a machine for them."""

import os

collect_ignore_glob = [] if "KORTANA_VM" in os.environ else ["test_*.py"]
