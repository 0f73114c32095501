"""A thread that cannot be started is an error of the system."""

import errno

import pytest

from kortana.processes.threads import starting_threads, why_no_process


def test_no_more_threads_is_an_os_error() -> None:
    with pytest.raises(OSError) as found, starting_threads():
        raise RuntimeError("can't start new thread")
    assert found.value.errno == errno.EAGAIN and "ulimit -u" in str(found.value.strerror)


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="threads can only be started once"), starting_threads():
        raise RuntimeError("threads can only be started once")


def test_a_process_that_cannot_be_started_is_told_with_what_to_look_at() -> None:
    assert "ulimit -u" in why_no_process(BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"))
    assert why_no_process(OSError(errno.ENOMEM, "Cannot allocate memory")) == "Cannot allocate memory"
