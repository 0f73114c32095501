"""What a command-line agent is told of its task."""

import string
from typing import Any

from kortana.agent.worktree import Worktree

PROMPT = """\
You are $agent, one of several agents in this repository. Your task is "$id": $title

$prompt

$paths$dependencies$earlier$messages
You hold this task; others work on other tasks at the same time. When you are done, say in a few sentences what you \
did: your last message is kept as the task's result. If you cannot do it, say why."""


def render(
    template: str, task: dict[str, Any], agent: str, results: dict[str, Any], earlier: str = "", messages: str = ""
) -> str:
    """The prompt for a task. results: what the tasks that it depends on have left. earlier: what is known of attempts
    before this one. messages: what others have written meanwhile."""
    paths = task.get("paths") or ()
    told = f"Change only these paths: {', '.join(paths)}\n" if paths else ""
    done = "".join(f"Result of {name}: {text}\n" for name, text in results.items())
    prompt = task.get("prompt") or (f"Carry out: {task['run']}" if task.get("run") else "")
    return string.Template(template).safe_substitute(
        agent=agent, id=task["id"], title=task.get("title") or task["id"], prompt=prompt, paths=told, dependencies=done,
        earlier=earlier, messages=messages,
    )  # fmt: skip


def told_of_earlier(task: dict[str, Any], tree: Worktree | None) -> str:
    """For the prompt: that there was an attempt before, how far it came, and what stood in its way."""
    result = task.get("result")
    if not task.get("attempts"):
        return ""
    told = "This is not the first attempt." + (f" Last word on it: {task['details']}" if task.get("details") else "")
    if tree is None:
        return f"{told}\n"
    told += f"\nWhat was changed so far is on your branch, {tree.branch}, already."
    if isinstance(result, dict) and result.get("merged") is False:
        told += f" To make it mergeable, run `{tree.remedy()}` here, resolve the conflicts, and finish it."
    return f"{told}\n"
