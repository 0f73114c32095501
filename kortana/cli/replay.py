"""`kortana replay`: rebuilds the state from the journal; with --verify, re-derives every decision."""

from pathlib import Path

import click

from kortana.cli.common import Project, file_option, json_option, print_json
from kortana.cli.errors import DAMAGED, USAGE, CliError
from kortana.cli.offline import journal_records, limits_for, offline_state
from kortana.protocol.timestamps import ms_from_iso


@click.command()
@click.option("--until", help="A seq, or a time: replay up to there.")
@click.option("--verify", is_flag=True, help="Check every lease rule over the whole journal; exit 7 on any violation.")
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
    from kortana.core.evolve import evolve
    from kortana.core.invariants import LeaseAudit, violations
    from kortana.core.state import State

    audit, state = LeaseAudit(), State(limits_for(project))
    for record in journal_records(project):
        audit.feed(record)
        if audit.violations:
            break
        evolve(state, record, 0.0)
    found = audit.violations or violations(state)
    if found:
        raise CliError(DAMAGED, "replay_differs", "\n".join(found[:20]), "the journal breaks the rules of leases")
    result = {"records": state.seq, "grants": audit.grants, "denials": audit.denials, "violations": 0}
    print_json(result) if as_json else print(
        f"{state.seq} records: {audit.grants} grants, {audit.denials} denials, no task ever had two live leases"
    )
    return 0


COMMANDS = {"replay": replay}
