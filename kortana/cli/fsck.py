"""`kortana fsck`: checks the journal and the snapshots against each other; with --repair, mends them."""

from pathlib import Path

import click
import msgspec

from kortana.cli.common import Project, file_option, json_option, print_json
from kortana.cli.errors import ALREADY_RUNNING, DAMAGED, FAILED, CliError
from kortana.cli.offline import limits_for


@click.command()
@click.option("--repair", is_flag=True, help="Mend what is damaged; what is cut is saved aside, never deleted.")
@file_option
@json_option
def fsck(repair: bool, file: Path | None, as_json: bool) -> int:
    """Check the journal and the snapshots; exit 7 where something is damaged."""
    from kortana.adapters.files import fsck as files

    project = Project(file)
    done: list[str] = []
    if repair:
        done = _repair(project)
    findings = files.examine(project.layout, limits_for(project))
    damaged = [finding for finding in findings if finding.level == "damage"]
    if as_json:
        print_json({"findings": msgspec.to_builtins(findings), "repaired": done, "damaged": bool(damaged)})
    else:
        for line in done:
            print(f"repaired  {line}")
        for finding in findings:
            place = finding.file + (f", offset {finding.offset}" if finding.offset is not None else "")
            remedy = f" ({finding.remedy})" if finding.remedy else ""
            print(f"{finding.level:<8}  {place}: {finding.what}{remedy}")
    return DAMAGED if damaged else 0


def _repair(project: Project) -> list[str]:
    from kortana.adapters.files import fsck as files
    from kortana.processes.lock import FolderLock, HeldError

    lock = FolderLock(project.layout.lock)
    try:
        project.layout.create()
        lock.acquire()
    except HeldError as error:
        raise CliError(
            ALREADY_RUNNING, "already_running", f"running, pid {error.pid}: nothing is repaired under it",
            "stop it with `kortana down`",
        ) from None  # fmt: skip
    try:
        return files.repair(project.layout, limits_for(project))
    except OSError as error:
        raise CliError(FAILED, "repair", f"{project.layout.root}: {error.strerror}") from None
    finally:
        lock.release()


COMMANDS = {"fsck": fsck}
