from collections.abc import Iterator

import pykka
import pytest


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No actor outlives its test."""
    yield
    pykka.ActorRegistry.stop_all(timeout=10)
