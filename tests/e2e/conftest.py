from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bench import Bench
from tests.e2e.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A folder for one Kortana; nothing that it started is left afterwards."""
    made = Project(tmp_path)
    yield made
    made.clean_up()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.link.close()
