"""What AgentInterface makes of the coordinator's answers."""

from typing import Any

import pytest

from kortana.agent import interface
from kortana.agent.interface import AgentInterface


class EndingClient:
    """Of a Kortana that goes down."""

    def request(self, event: Any, timeout_s: float) -> dict[str, Any]:
        return {"accepted": False, "reason": "shutting_down"}


@pytest.mark.parametrize(("wait", "paused"), [(0, 0.0), (0.3, 0.3), (600, 1.0)])
def test_a_loop_of_claims_does_not_spin_while_kortana_ends(
    wait: float, paused: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(interface.time, "sleep", pauses.append)
    agent = AgentInterface("me", "/")
    agent._client = EndingClient()  # type: ignore[assignment]
    assert agent.claim_task(wait=wait).reason == "shutting_down"
    assert pauses == [paused]
