"""`kortana replay`: rebuilds the state from the journal; with --verify, re-derives every decision."""

from pathlib import Path

import click

from kortana.adapters.files.segments import first_available
from kortana.cli.common import Project, file_option, json_option, print_json
from kortana.cli.errors import DAMAGED, FAILED, CliError
from kortana.cli.moments import moment
from kortana.cli.offline import journal_records, limits_for, offline_state, up_to


@click.command()
@click.option("--until", help="A seq, a time, or how long ago (10m): replay up to there.")
@click.option("--verify", is_flag=True, help="Re-derive every decision and compare; exit 7 on any difference.")
@file_option
@json_option
def replay(until: str | None, verify: bool, file: Path | None, as_json: bool) -> int:
    """Rebuild the state from the journal and print it."""
    import msgspec

    from kortana.core.views import agents_view

    project = Project(file)
    until_seq, until_time = moment("--until", until)
    if verify:
        return _verify(project, until_seq, until_time, as_json)
    state = offline_state(project, until_seq, until_time)
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


def _verify(project: Project, until_seq: int | None, until_time: str | None, as_json: bool) -> int:
    import msgspec

    from kortana.core.verify import Difference, verify

    if (first := first_available(project.layout.journal)) > 1:
        what = f"the records before seq {first} were pruned (journal.keep_segments)"
        hint = "decisions are derived again from the first record on; `kortana fsck` checks what is left"
        raise CliError(FAILED, "pruned", what, hint)
    try:
        report = verify(up_to(journal_records(project), until_seq, until_time), limits_for(project))
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
        if report.by_other_rules:
            print(f"not compared: {report.by_other_rules} records by the rules of another version of Kortana")
    return 0


COMMANDS = {"replay": replay}
