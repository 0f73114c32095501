"""A process that cannot get ready for its worker says why, on the pipe that the launcher reads."""

import os
import subprocess
import sys

import pytest

from kortana.processes.child import CANNOT_EXECUTE

STAND_BY = """
resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))
child.stand_by(os.getppid(), 1, 2, status, 2, 0)
"""
BECOME = """
os.dup2(status, child.STATUS_FD)
spec = ProcessSpec("w", 1, ["true"], None, ".", {}, "w.log", 1, 1, None, None)
child.become(Orders(Start(spec), ["/nowhere"], None), print)
"""
PRELUDE = """
import os, resource, sys
from kortana.ports import ProcessSpec
from kortana.processes import child
from kortana.processes.messages import Start
from kortana.processes.orders import Orders
status = int(sys.argv[1])
"""


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("code", "why"), [(STAND_BY, "cannot get ready: "), (BECOME, "/nowhere/cgroup.procs")])
def test_what_cannot_get_ready_says_why(code: str, why: str) -> None:
    read_end, write_end = os.pipe()
    done = subprocess.run([sys.executable, "-c", PRELUDE + code, str(write_end)], pass_fds=[write_end], check=False)
    os.close(write_end)
    with open(read_end, encoding="utf-8") as told:
        assert why in told.read()
    assert done.returncode == CANNOT_EXECUTE


LIMITS = """
import resource, sys
from kortana.processes.open_files import limit_worker, raise_own
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))
assert raise_own() == (64, 128)
limit_worker(None if sys.argv[1] == "none" else int(sys.argv[1]), 64)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("limit", "found"), [("none", "64 128"), ("100", "100 100"), ("9999", "128 128")])
def test_a_worker_gets_the_usual_limit_of_open_files_or_its_own(limit: str, found: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITS, limit], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found
