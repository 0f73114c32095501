"""What a client is offered: every tool; or, within a task that an adapter has it carry out, those of use there."""

from __future__ import annotations

from typing import NamedTuple

from kortana.mcp.tools import INSTRUCTIONS, TOOLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IN_TASK = """\
You are carrying out the task {task} of this repository; other agents work on other tasks at the same time. The task \
is yours already, its lease is renewed for you, and what becomes of it is reported when you end: claim no other one. \
Change only what is in its `paths`. If you cannot go on before another task is done, or without a person, call \
report_blocker and end. read_inbox has messages from the other agents, send_message writes to them; get_task shows a \
task, and `why` what keeps it from being claimed."""
_NOT_IN_TASK = ("claim_task", "release_task")


class Offer(NamedTuple):
    instructions: str
    tools: list[dict[str, Any]]
    task: str | None
    """The task within which this is; None where it is within none."""

    def tool(self, name: object) -> dict[str, Any] | None:
        return next((tool for tool in self.tools if tool["name"] == name), None)


def offer(task: str | None) -> Offer:
    """task: the one that this client carries out for an adapter, or None. To complete it is the adapter's, which has
    yet to take in what was changed, and may only while it holds it."""
    if not task:
        return Offer(INSTRUCTIONS, TOOLS, None)
    kept = [tool for tool in TOOLS if tool["name"] not in _NOT_IN_TASK]
    tools = [_progress(tool) if tool["name"] == "update_task_status" else tool for tool in kept]
    return Offer(IN_TASK.format(task=task), tools, task)


def _progress(tool: dict[str, Any]) -> dict[str, Any]:
    schema = tool["inputSchema"]
    told = {name: kind for name, kind in schema["properties"].items() if name != "result"}
    properties = {**told, "status": {"type": "string", "enum": ["in_progress"]}}
    description = "Say how far you are with your task, in percent, or what you are doing. Its end is reported for you."
    return {**tool, "description": description, "inputSchema": {**schema, "properties": properties}}
