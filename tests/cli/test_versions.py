"""A command that was upgraded while Kortana runs says so."""

import pytest

import kortana
from kortana.cli.versions import tell_if_other


@pytest.mark.parametrize(("running", "told"), [
    (kortana.__version__, ""), ("9.9.9", "version 9.9.9 runs here"), (None, "an older version runs here"),
])  # fmt: skip
def test_another_version_is_told_of(running: str | None, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    tell_if_other(running)
    found = capsys.readouterr()
    assert told in found.err and bool(told) == bool(found.err) and found.out == ""
