"""What can be asked for with a COMMAND, and the arguments of each. Wrong ones are `bad_payload`."""

from typing import Annotated, Any

import msgspec

from kortana.protocol.payloads import Payload, read_payload

MAX_PATHS = 256
"""Of one question."""


class Nothing(Payload, frozen=True):
    pass


class Names(Payload, frozen=True):
    """Workers, or groups of replicas; all of them where there are none."""

    names: tuple[str, ...] = ()


class Page(Payload, frozen=True):
    start: Annotated[int, msgspec.Meta(ge=0)] = msgspec.field(name="from", default=0)
    """Where to go on: what the page before gave as `next`."""


class TaskPage(Page, frozen=True):
    status: str | None = None


class OneTask(Payload, frozen=True):
    id: str


class Paths(Payload, frozen=True):
    """Paths in the repository that an agent is about to touch."""

    agent: str
    paths: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_PATHS)] = ()


class Apply(Payload, frozen=True):
    dry_run: bool = False
    """Only say what would be done."""


class Scale(Payload, frozen=True):
    counts: dict[str, int]
    """Worker → replicas."""
    dry_run: bool = False


class OneWorker(Payload, frozen=True):
    name: str


QUERIES: dict[str, type[Payload]] = {
    "tasks": TaskPage, "task": OneTask, "why": OneTask, "agents": Nothing, "summary": Nothing, "coverage": Paths,
}  # fmt: skip
"""What anybody may ask the coordinator."""
CONTROLS: dict[str, type[Payload]] = {
    "ps": Page, "start": Names, "stop": Names, "restart": Names, "wait": Names, "apply": Apply, "scale": Scale,
    "explain": OneWorker, "down": Nothing,
}  # fmt: skip
"""What an operator may have the supervisor do."""


def read_args(command: str, args: dict[str, Any]) -> Any:
    """The arguments of a known command in its own struct, or a string that says what is wrong with them."""
    kind = QUERIES.get(command) or CONTROLS.get(command)
    if kind is None:
        return f"unknown command {command[:100]!r}; known: {', '.join(sorted({*QUERIES, *CONTROLS}))}"
    found = read_payload(kind, args)
    return f"{command}: {found}" if isinstance(found, str) else found
