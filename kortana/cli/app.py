"""The click group: commands load when they are called, and errors end with their code."""

import importlib
import os
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from kortana.cli.errors import INTERRUPTED, USAGE, CliError, NobodyReads, ending

_COMMANDS = {
    "up": "up", "down": "down", "ps": "ps", "status": "ps", "logs": "logs",
    "start": "workers", "stop": "workers", "restart": "workers", "scale": "apply", "apply": "apply",
    "crashes": "crashes", "doctor": "doctor",
    "tasks": "tasks", "why": "why", "events": "events", "replay": "replay", "fsck": "fsck",
    "config": "config", "init": "init", "completion": "completion",
}  # fmt: skip


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *_SHORT_CUTS]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in _SHORT_CUTS:
            return _SHORT_CUTS[name]
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"kortana.cli.{_COMMANDS[name]}")
        command: click.Command = module.COMMANDS[name]
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise NobodyReads from None


def _complete_agent(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kortana.cli.agent import WITH_A_TASK, WITHOUT
    from kortana.cli.candidates import tasks, words_of

    return words_of((*WITH_A_TASK, *WITHOUT), tasks, WITH_A_TASK)(ctx, param, incomplete)


def _complete_mcp(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kortana.cli.candidates import fixed, words_of
    from kortana.mcp.install import CLIENTS

    return words_of(("install",), fixed((*CLIENTS, "codex")))(ctx, param, incomplete)


def _complete_guard(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from kortana.cli.candidates import fixed, words_of
    from kortana.cli.guard_install import KINDS

    return words_of(("check", "commit", "hook", "install"), fixed(KINDS), ("install",))(ctx, param, incomplete)


@click.command("agent", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("words", nargs=-1, shell_complete=_complete_agent)
def _agent_placeholder(words: tuple[str, ...]) -> None:
    """Speak as an agent: claim, heartbeat, update, block, release, send, inbox."""
    from kortana.cli.agent import agent_main

    sys.exit(agent_main(list(words)))


@click.command("mcp", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("words", nargs=-1, shell_complete=_complete_mcp)
def _mcp_placeholder(words: tuple[str, ...]) -> None:
    """An MCP server on stdio; `mcp install CLIENT` registers it."""
    from kortana.mcp.server import main

    sys.exit(main(list(words)))


@click.command("guard", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("words", nargs=-1, shell_complete=_complete_guard)
def _guard_placeholder(words: tuple[str, ...]) -> None:
    """Refuse edits that no lease covers: hooks for Claude Code and git."""
    from kortana.cli.guard import guard_main

    sys.exit(guard_main(list(words)))


_SHORT_CUTS: dict[str, click.Command] = {
    "agent": _agent_placeholder, "mcp": _mcp_placeholder, "guard": _guard_placeholder,
}  # fmt: skip


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="kortana", prog_name="kortana")
def app() -> None:
    """Kortana supervises and coordinates a team of agents that work in one repository."""


def colour_wanted(stream: Any) -> bool:
    """NO_COLOR wins, then FORCE_COLOR, then whether the stream is a terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def run() -> int:
    """Runs the command line; gives the exit code."""
    return ending(_run, _as_json())


def _run() -> int:
    """Raises CliError, KeyboardInterrupt and OSError."""
    try:
        outcome = app.main(standalone_mode=False, prog_name="kortana")
        return outcome if isinstance(outcome, int) else 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.UsageError as error:
        raise CliError(USAGE, "usage", error.format_message(), _usage_hint(error)) from None
    except click.ClickException as error:
        raise CliError(USAGE, "usage", error.format_message()) from None
    except click.Abort:
        return INTERRUPTED


def _as_json() -> bool:
    return "--json" in sys.argv


def _usage_hint(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx is not None else "kortana"
    return f"see `{path} --help`"
