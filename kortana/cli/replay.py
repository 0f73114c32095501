"""`kortana replay`: rebuilds the state from the journal; with --verify, re-derives every decision."""

from pathlib import Path

import click

from kortana.cli.common import Project, file_option, json_option, print_json
from kortana.cli.errors import DAMAGED, USAGE, CliError
from kortana.cli.offline import journal_records, limits_for, offline_state
from kortana.protocol.timestamps import ms_from_iso


@click.command()
@click.option("--until", help="A seq, or a time: replay up to there.")
@click.option("--verify", is_flag=True, help="Re-derive every decision and compare; exit 7 on any difference.")
@file_option
@json_option
def replay(until: str | None, verify: bool, file: Path | None, as_json: bool) -> int:
    """Rebuild the state from the journal and print it."""
    import msgspec

    from kortana.core.views import agents_view

    project = Project(file)
    if verify:
        return _verify(project, as_json)
    state = offline_state(project, *_until(until))
    shown = {
        "version": 1,
        "seq": state.seq,
        "updated_at": state.recorded_at,
        "tasks": msgspec.to_builtins(state.tasks),
        "agents": agents_view(state),
    }
    if as_json:
        print_json(shown)
        return 0
    print(f"seq {state.seq}, {state.recorded_at}: {len(state.tasks)} tasks, {len(state.agents)} agents")
    for task in state.tasks.values():
        holder = f", held by {task.owner} (token {task.lease_token})" if task.owner else ""
        print(f"  {task.id}: {task.status}{holder}")
    return 0


def _until(text: str | None) -> tuple[int | None, str | None]:
    if text is None:
        return None, None
    if text.isdigit():
        return int(text), None
    try:
        ms_from_iso(text)
    except ValueError as error:
        raise CliError(USAGE, "usage", f"--until: {error}, or a seq") from None
    return None, text


def _verify(project: Project, as_json: bool) -> int:
    import msgspec

    from kortana.core.verify import Difference, verify

    try:
        report = verify(journal_records(project), limits_for(project))
    except Difference as error:
        hint = "the journal does not follow from its own inputs; `kortana events --since SEQ` shows the place"
        raise CliError(DAMAGED, "replay_differs", str(error), hint) from None
    if as_json:
        print_json({**msgspec.to_builtins(report), "differences": 0})
    else:
        print(
            f"{report.records} records: every one of {report.decisions} decisions re-derived, {report.grants} grants, "
            f"{report.denials} denials, no task ever had two live leases"
        )
    return 0


COMMANDS = {"replay": replay}
