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
def bench(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    if getattr(request, "param", "cgroups") == "marks":
        monkeypatch.setenv("KORTANA_NO_CGROUPS", "1")
    made = Bench(tmp_path)
    yield made
    made.link.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module may have its launchers also as they are where there are no cgroups."""
    if "bench" in metafunc.fixturenames and getattr(metafunc.module, "ALSO_WITHOUT_CGROUPS", False):
        metafunc.parametrize("bench", ["cgroups", "marks"], indirect=True)
