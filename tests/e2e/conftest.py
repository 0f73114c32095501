from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A folder for one Kortana; nothing that it started is left afterwards."""
    made = Project(tmp_path)
    yield made
    made.clean_up()
