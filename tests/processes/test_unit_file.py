"""The unit file in config/ is one that systemd accepts."""

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "config" / "kortana.service"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_accepts_the_unit_file(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/srv/project", str(tmp_path))
    unit = tmp_path / "kortana.service"
    unit.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "kortana.service" not in done.stderr, done.stderr
