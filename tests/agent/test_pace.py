"""How often a worker speaks: for its lease, and for who would take it for hung."""

import pytest

from kortana.agent.pace import TIMEOUT_VARIABLE, renew_every_s, sign_of_life_every_s


@pytest.mark.parametrize(
    ("timeout", "sign", "renewal"),
    [(None, None, 40.0), ("60", 20.0, 20.0), ("600", 200.0, 40.0), ("0", None, 40.0), ("soon", None, 40.0)],
)
def test_the_shorter_of_the_two_counts(
    monkeypatch: pytest.MonkeyPatch, timeout: str | None, sign: float | None, renewal: float
) -> None:
    monkeypatch.delenv(TIMEOUT_VARIABLE, raising=False)
    if timeout is not None:
        monkeypatch.setenv(TIMEOUT_VARIABLE, timeout)
    assert (sign_of_life_every_s(), renew_every_s(120.0)) == (sign, renewal)
