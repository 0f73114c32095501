"""A large heap moves into huge pages, and what is in it stays."""

import subprocess
import sys
from pathlib import Path

import pytest

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
PROGRAM = """
import re, sys
from pathlib import Path
from kortana.processes.huge_pages import use_huge_pages

def huge():
    return int(re.search(r"AnonHugePages: +(\\d+) kB", Path("/proc/self/smaps_rollup").read_text())[1]) << 10

assert use_huge_pages(1 << 40) == 0, "a small process stays as it is"
kept = [f"number {n}" for n in range(500_000)]
before = huge()
done = use_huge_pages(16 << 20)
assert kept == [f"number {n}" for n in range(500_000)]
print(done, huge() - before)
"""


@pytest.mark.skipif(not SETTING.exists() or "[never]" in SETTING.read_text(), reason="no huge pages here")
def test_a_large_heap_moves_and_what_is_in_it_stays() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    moved, grown = map(int, done.stdout.split())
    assert moved == 0 or grown > 0, "moved by the call, or, before Linux 6.1, later on by the kernel"


def test_where_they_are_switched_off_nothing_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from kortana.processes import huge_pages

    setting = tmp_path / "enabled"
    monkeypatch.setattr(huge_pages, "_SETTING", setting)
    assert huge_pages.use_huge_pages(1) == 0
    setting.write_text("always madvise [never]\n")
    assert huge_pages.use_huge_pages(1) == 0
