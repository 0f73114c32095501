"""A line of a command-line agent's output, as its adapter takes it in."""

from kortana.agent.clis import Outcome
from kortana.agent.headless import event_of, take_in


def read_line(stream: str, text: str, outcome: Outcome) -> bool:
    """Whether it showed progress."""
    return take_in(stream, text, event_of(stream, text), outcome)
