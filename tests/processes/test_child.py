"""A process that cannot get ready for its worker says why, on the pipe that the launcher reads."""

import os
import subprocess
import sys
from pathlib import Path

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


_FORKS_INTO = """
import os, sys
from pathlib import Path
from kortana.processes.birth import Newborn
newborn = Newborn(Path(sys.argv[1]), print, only_execs=bool(sys.argv[2]), is_spare=False)
print("launcher", os.read(newborn.status, 4096).decode(), os.waitstatus_to_exitcode(os.waitpid(newborn.pid, 0)[1]))
"""


@pytest.mark.parametrize("only_execs", ["", "yes"])
def test_a_child_that_cannot_enter_its_cgroup_says_so_and_is_no_second_launcher(
    tmp_path: Path, only_execs: str
) -> None:
    (tmp_path / "cgroup.procs").mkdir()
    words = [sys.executable, "-c", _FORKS_INTO, str(tmp_path), only_execs]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "launcher cannot enter its cgroup: Is a directory 126\n" and done.stderr == ""
