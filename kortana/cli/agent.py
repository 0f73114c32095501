"""`kortana agent`: speaks as an agent, for shell scripts and people.

A script may call this for every step of its work, so it loads almost nothing: no click, no msgspec, no
socket module.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time

from kortana.agent.pace import NOTHING_NEW, sign_of_life_every_s
from kortana.cli.conversation import LONGEST_S, Conversation
from kortana.cli.errors import DONE, REFUSED, USAGE, CliError, ending
from kortana.protocol.parsing import parse_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

USAGE_TEXT = """\
usage: kortana agent COMMAND [--as NAME] [-f FILE] [--json]

  claim [TASK] [--wait S] [--ttl S] [--having FIELD ...]
                                          claim a task, or the next one (in which FIELD says what is to be done:
                                          run, prompt or title); prints TASK TOKEN
  heartbeat [TASK]                        renew the lease on a task, or all of them
  update TASK STATUS [--progress N] [--details TEXT] [--result JSON] [--token N]
                                          in_progress, blocked, completed, failed or pending
  block TASK --reason TEXT [--needs TASK ...]
                                          report a blocker; the others replan
  release TASK                            give a task back
  send TARGET TEXT [--type TYPE] [--task TASK]
                                          a message to an agent, to operator (the people), or to all
  run [TASK] [--wait S] [--ttl S] [--having FIELD ...] -- COMMAND ...
                                          claim, run a command with heartbeats ($KORTANA_TASK and $KORTANA_LEASE say
                                          what it holds), complete or fail by its exit code
  inbox [--wait S]                        print the messages that wait, and confirm them

Speaks as $KORTANA_AGENT, or --as NAME.
Exit codes: 0 done, 2 usage, 3 not running, 4 refused, 5 timed out."""

_OPTIONS = {
    "--as": "as", "-f": "file", "--file": "file", "--wait": "wait", "--ttl": "ttl", "--progress": "progress",
    "--details": "details", "--result": "result", "--token": "token", "--reason": "reason", "--needs": "needs",
    "--type": "type", "--task": "task", "--having": "having",
}  # fmt: skip
_COMMANDS: dict[str, tuple[int, int, set[str]]] = {
    "claim": (0, 1, {"wait", "ttl", "details", "having"}),
    "heartbeat": (0, 1, {"token", "details"}),
    "update": (2, 2, {"progress", "details", "result", "token"}),
    "block": (1, 1, {"reason", "needs", "token"}),
    "release": (1, 1, {"token"}),
    "send": (2, 2, {"type", "task"}),
    "inbox": (0, 0, {"wait"}),
}
"""Command → least and most words after it, and its own options."""
WITH_A_TASK = ("claim", "heartbeat", "update", "block", "release", "run")
WITHOUT = ("send", "inbox")
_MESSAGES = ("INFO", "REQUEST_REVIEW", "MERGE_READY")
_NO_MESSAGES = frozenset({
    "TASK_ADD", "TASK_CLAIM", "TASK_UPDATE", "TASK_RELEASE", "BLOCKER", "HEARTBEAT", "ACK", "HELLO", "COMMAND",
})  # fmt: skip
"""Events that do something else than to tell; what is wrong with any other one the coordinator says."""
_REPEATABLE = {"needs", "having"}
REPLY_TIMEOUT_S = 30.0
MAX_INBOX, CONFIRM_EVERY = 1000, 100


def agent_main(words: list[str]) -> int:
    """Runs one command; gives its exit code."""
    as_json = "--json" in words
    return ending(lambda: _run([word for word in words if word != "--json"], as_json), as_json, "kortana agent")


def _run(words: list[str], as_json: bool) -> int:
    if not words or words[0] in ("-h", "--help", "help") or "--help" in words:
        print(USAGE_TEXT)
        return DONE if words else USAGE
    command = words[0]
    if command == "run":
        return _run_command(words[1:], as_json)
    if command not in _COMMANDS:
        raise CliError(USAGE, "usage", f"unknown command {command!r}; known: {', '.join(_COMMANDS)}")
    names, options = _parse(command, words[1:])
    name = _speaker(options)
    if command == "update" and names[1] == "completed":
        _refuse_delivered(name, names[0])
    with Conversation(name, options, receive=command == "inbox") as connection:
        if command == "inbox":
            return _inbox(connection, _number(options, "wait") or 0.0)
        event_type, target, task, payload = _request(command, names, options)
        wait = payload.get("wait_s", 0.0)
        answer = connection.ask(event_type, target, task, payload, wait + REPLY_TIMEOUT_S)
    return _show(command, answer, as_json)


def _parse(command: str, words: list[str]) -> tuple[list[str], dict[str, Any]]:
    least, most, own = _COMMANDS[command]
    names: list[str] = []
    options: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option not in _OPTIONS:
            if word.startswith("-") and word != "-":
                raise CliError(USAGE, "usage", f"unknown option {word}", "see `kortana agent --help`")
            names.append(word)
            continue
        key = _OPTIONS[option]
        if key not in own | {"as", "file"}:
            raise CliError(USAGE, "usage", f"{option} means nothing to {command}")
        found = value if equals else next(rest, None)
        if found is None:
            raise CliError(USAGE, "usage", f"{option} needs a value")
        if key in _REPEATABLE:
            options.setdefault(key, []).append(found)
        else:
            options[key] = found
    if not least <= len(names) <= most:
        due = f"{most} word{'s are' if most != 1 else ' is'}" if least == most else f"{least} to {most} words are"
        raise CliError(USAGE, "usage", f"{command}: {due} needed, not {len(names)}", "see `kortana agent --help`")
    return names, options


def _speaker(options: dict[str, Any]) -> str:
    name: str | None = options.get("as") or os.environ.get("KORTANA_AGENT")
    if not name:
        raise CliError(USAGE, "usage", "who speaks? set KORTANA_AGENT, or give --as NAME")
    return name


def _refuse_delivered(name: str, *tasks: str) -> None:
    """An adapter reports a task of its own once it has taken in what was changed, which then could not be any more."""
    if name != os.environ.get("KORTANA_AGENT") or os.environ.get("KORTANA_DELIVERY") not in tasks:
        return
    what = f"{tasks[0]} is completed by the adapter that runs you, once it has taken in what you have changed"
    hint = f"end, and say what you did; `kortana agent update {tasks[0]} in_progress` says how far you are"
    raise CliError(REFUSED, "forbidden", what, hint)


def _number(options: dict[str, Any], key: str) -> float | None:
    if key not in options:
        return None
    try:
        found = float(options[key])
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise CliError(USAGE, "usage", f"--{key}: a number is needed, not {options[key]!r}")
    if key == "wait" and found > LONGEST_S:
        raise CliError(USAGE, "usage", f"--wait: at most {LONGEST_S} seconds, not {options[key]}")
    if key == "token" and found != int(found):
        raise CliError(USAGE, "usage", f"--token: a whole number is needed, not {options[key]!r}")
    return found


def _request(command: str, names: list[str], options: dict[str, Any]) -> tuple[str, str, str | None, dict[str, Any]]:
    """Event type, target, task and payload of a command."""
    task = names[0] if names else None
    payload: dict[str, Any] = {key: options[key] for key in ("details", "reason", "needs", "having") if key in options}
    token = _number(options, "token")
    if token is not None:
        payload["token"] = int(token)
    if command == "claim":
        payload["wait_s"] = _number(options, "wait") or 0.0
        if (ttl := _number(options, "ttl")) is not None:
            payload["ttl_s"] = ttl
        return "TASK_CLAIM", "coordinator", task, payload
    if command == "update":
        return "TASK_UPDATE", "coordinator", task, {**payload, **_update(names[1], options)}
    if command == "block":
        if "reason" not in options:
            raise CliError(USAGE, "usage", "block needs --reason")
        return "BLOCKER", "coordinator", task, payload
    if command == "send":
        kind = options.get("type", "INFO")
        if kind in _NO_MESSAGES:
            what = f"--type: {kind} is no message; {', '.join(_MESSAGES)} are"
            raise CliError(USAGE, "usage", what, "the other commands of `kortana agent` are for the rest")
        return kind, names[0], options.get("task"), {"text": names[1]}
    return {"heartbeat": "HEARTBEAT", "release": "TASK_RELEASE"}[command], "coordinator", task, payload


def _update(status: str, options: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"status": status}
    if (progress := _number(options, "progress")) is not None:
        found["progress"] = progress
    if "result" in options:
        try:
            found["result"] = parse_json(options["result"])
        except ValueError as error:
            raise CliError(USAGE, "usage", f"--result: JSON is needed: {error}") from None
    return found


def _run_command(words: list[str], as_json: bool) -> int:
    """`run [TASK] -- COMMAND`: gives the command's own exit code; 75 is quota: the task is given back."""
    if "--" not in words:
        raise CliError(USAGE, "usage", "run [TASK] -- COMMAND is needed", "see `kortana agent --help`")
    at = words.index("--")
    _COMMANDS["run"] = (0, 1, {"wait", "ttl", "having"})
    names, options = _parse("run", words[:at])
    from kortana.cli.running import Wanted, run_task

    name = _speaker(options)
    _refuse_delivered(name, *names)
    wanted = Wanted(
        names[0] if names else None, _number(options, "wait") or 0.0, _number(options, "ttl"), options.get("having", ())
    )
    return run_task(name, wanted, words[at + 1 :], options.get("file"))


def _show(command: str, answer: dict[str, Any], as_json: bool) -> int:
    if as_json:
        print(json.dumps(answer))
    if not answer["accepted"]:
        result = answer.get("result") or {}
        detail = result.get("detail", "")
        if not as_json:
            from kortana.protocol.legible import legible

            print(legible(f"refused: {answer['reason']}" + (f" ({detail})" if detail else "")), file=sys.stderr)
        return REFUSED
    if command == "claim" and not as_json:
        print(answer["task"]["id"], answer["lease"]["token"])
    return DONE


def _first(connection: Conversation, wait_s: float) -> dict[str, Any] | None:
    """The first event that comes; a worker's script says that it lives while it waits."""
    deadline, every_s = time.monotonic() + wait_s, sign_of_life_every_s() or wait_s
    while (left_s := deadline - time.monotonic()) > every_s:
        event = connection.read(time.monotonic() + every_s)
        if event is not None:
            return event
        connection.send("ACK", "coordinator", None, {"ack_for_event_id": NOTHING_NEW}, False)
    return connection.read(time.monotonic() + left_s, drain=True)


def _inbox(connection: Conversation, wait_s: float) -> int:
    """Prints a JSON line for each event that waits, then confirms them; waits only for the first. Others may write
    faster than it prints: what is more than MAX_INBOX is for the next call."""
    event = _first(connection, wait_s)
    for count in range(1, MAX_INBOX + 1):
        if event is None:
            break
        print(json.dumps(event, ensure_ascii=False))
        last, event = event["id"], connection.read(0.0, drain=True)
        if event is None or count % CONFIRM_EVERY == 0:
            sys.stdout.flush()
            connection.send("ACK", "coordinator", None, {"ack_for_event_id": last}, False)
    return DONE
