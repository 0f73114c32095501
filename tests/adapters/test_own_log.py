"""Kortana's own log keeps tracebacks, and nothing of what the variables held."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from kortana.adapters.files.own_log import log_to_file


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    logger.remove()


def test_a_folder_with_braces_in_its_name_is_a_folder_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "{time} {brace} {" / "kortana.log"
    path.parent.mkdir()
    log_to_file(path)
    assert "kortana up" in path.read_text()


def test_a_traceback_shows_no_values(tmp_path: Path) -> None:
    log_to_file(tmp_path / "kortana.log")
    environment = {"API_KEY": "hunter22" + "hunter22"}
    try:
        int(environment)  # type: ignore[call-overload]
    except TypeError:
        logger.exception("an actor died")
    text = (tmp_path / "kortana.log").read_text()
    assert "TypeError" in text and "test_own_log.py" in text and "hunter22" not in text
