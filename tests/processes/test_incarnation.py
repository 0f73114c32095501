"""What the launcher takes in of one incarnation."""

import os
from types import SimpleNamespace
from typing import Any

import pytest

from kortana.processes.incarnation import Child


@pytest.mark.parametrize(("said", "error"), [(b"", ""), (b"no such program", "no such program")])
def test_why_a_program_could_not_begin_is_read_and_never_waited_for(said: bytes, error: str) -> None:
    nothing: Any = SimpleNamespace(process=None, pid=1, group=None)
    child = Child(nothing, nothing, nothing, nothing)
    child.status_fd, write_end = os.pipe()
    os.write(write_end, said)
    assert child.read_start_error() == bool(said)
    assert child.start_error == error
    os.close(write_end)
    assert child.read_start_error(), "its end"
