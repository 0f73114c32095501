"""Where the number of a process counts."""

import os

from kortana.processes import numbering


def test_a_number_of_ones_own_namespace_is_itself() -> None:
    assert numbering.own().count("/") == 1 and " " not in numbering.own()
    assert numbering.pid_here(77, numbering.own()) == 77


def test_a_lock_of_the_version_before_says_no_namespace() -> None:
    assert numbering.pid_here(77, "") == 77


def test_of_another_boot_or_a_namespace_that_is_not_seen_nothing_is_known() -> None:
    boot, _, namespace = numbering.own().partition("/")
    assert numbering.pid_here(os.getpid(), f"{boot[::-1]}x/{namespace}") is None
    assert numbering.pid_here(os.getpid(), f"{boot}/1") is None
