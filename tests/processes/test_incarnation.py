"""What the launcher takes in of one incarnation."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from kortana.processes.incarnation import Child


@pytest.mark.parametrize(("said", "error"), [(b"", ""), (b"no such program", "no such program")])
def test_why_a_program_could_not_begin_is_read_and_never_waited_for(said: bytes, error: str) -> None:
    newborn: Any = SimpleNamespace(process=None, pid=1, group=None)
    child = Child(*[SimpleNamespace()] * 1, newborn, *[SimpleNamespace()] * 2)  # type: ignore[arg-type]
    child.status_fd, write_end = os.pipe()
    os.write(write_end, said)
    child.read_start_error()
    assert child.start_error == error
