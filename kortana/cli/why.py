"""`kortana why`: the one chain of causes of where a task stands."""

from pathlib import Path

import click

from kortana.cli import candidates
from kortana.cli.common import Project, file_option, json_option, print_json
from kortana.cli.errors import FAILED, CliError
from kortana.protocol.legible import legible


@click.command()
@click.argument("task_id", shell_complete=candidates.tasks)
@file_option
@json_option
def why(task_id: str, file: Path | None, as_json: bool) -> int:
    """Say who holds a task, or what keeps it from being claimed."""
    from kortana.core.views import why as explain

    project = Project(file)
    if project.holder() is None:
        from kortana.cli.offline import current_state

        found = explain(current_state(project), task_id)
    else:
        try:
            found = project.call("why", id=task_id)
        except CliError as error:
            if error.code != "unknown_task":
                raise
            found = None
    if found is None:
        raise CliError(FAILED, "unknown_task", f"there is no task {task_id!r}", "`kortana tasks list` lists them")
    if as_json:
        print_json(found)
        return 0
    print(f"{task_id} is {found['status']}")
    for cause in found["causes"]:
        if cause["kind"] != "terminal" or len(found["causes"]) > 1:  # that is what the first line says
            print(f"  {legible(cause['detail'])}")
    return 0


COMMANDS = {"why": why}
