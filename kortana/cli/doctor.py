"""`kortana doctor`: checks the machine and the data folder; one line a check, a remedy for each failure."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import msgspec

from kortana.adapters.files.layout import DataLayout
from kortana.agent.clis import KNOWN
from kortana.cli.common import Project, file_option, json_option, print_json
from kortana.cli.errors import FAILED, CliError
from kortana.config.spec import Config
from kortana.processes.watched import Watched

MIN_FREE_BYTES = 256 << 20
_REMEDY_OF_RIGHTS = "maybe another user has started Kortana here (sudo?): chown it to you, or set data_dir elsewhere"


class Check(msgspec.Struct, frozen=True):
    name: str
    ok: bool
    what: str
    remedy: str = ""


@click.command()
@file_option
@json_option
def doctor(file: Path | None, as_json: bool) -> int:
    """Check this machine and the data folder."""
    checks = list(_checks(file))
    if as_json:
        print_json({"ok": all(check.ok for check in checks), "checks": msgspec.to_builtins(checks)})
    else:
        for check in checks:
            print(f"{'ok  ' if check.ok else 'FAIL'}  {check.name}: {check.what}")
            if check.remedy:
                print(f"      {check.remedy}")
    return 0 if all(check.ok for check in checks) else FAILED


def _checks(file: Path | None) -> Iterator[Check]:
    yield Check("python", sys.version_info >= (3, 11), sys.version.split()[0], "" if sys.version_info >= (3, 11)
                else "Python 3.11 or newer is needed")  # fmt: skip
    yield _trees()
    yield _limits()
    yield _pidfd()
    yield _sync()
    try:
        project = Project(file)
        project.check_config()
    except CliError as error:
        yield Check("kortana.yaml", False, error.message, error.hint)
        return
    yield Check("kortana.yaml", True, project.config.path)
    for name, check in _OF_A_PROJECT.items():
        try:
            yield check(project)
        except OSError as error:
            yield Check(name, False, f"{error.filename or project.layout.root}: {error.strerror}", _REMEDY_OF_RIGHTS)
    if any(worker.cli.worktree for worker in project.config.workers):
        yield _worktrees(project)


def _trees() -> Check:
    from kortana.processes.forking import open_groups

    tree = open_groups(f"doctor-{os.getpid()}")
    if tree is not None:
        tree.destroy()
        place = tree.folder.parent
        return Check("process trees", True, f"cgroup v2 at {place}: a tree is ended as one, by cgroup.kill")
    return Check(
        "process trees", True, "no cgroup v2 takes processes: trees are found by /proc and by marks, which is weaker",
        "a process that clears its environment and leaves its session can escape; under systemd use Delegate=yes",
    )  # fmt: skip


def _limits() -> Check:
    from kortana.processes.delegation import CONTROLLERS
    from kortana.processes.limits import available

    found = {name: available(name) for name in CONTROLLERS}
    told = ", ".join(f"{name} by cgroup {how}" if how else f"{name} not available" for name, how in found.items())
    missing = [name for name, how in found.items() if not how]
    remedy = f"workers with limits.{missing[0]} will not start here" if missing else ""
    if missing and shutil.which("systemd-run") and os.path.isdir("/run/systemd/system"):
        remedy += "; they may with `systemd-run --user --scope -p Delegate=yes kortana up`, in a cgroup of its own"
    return Check("limits", True, told, remedy)


def _pidfd() -> Check:
    watched = Watched.of(os.getpid())
    if watched is None:
        return Check("pidfd", False, "the kernel has no pidfd_open", "Linux 5.3 or newer is needed")
    watched.close()
    return Check("pidfd", True, "there")


def _sync() -> Check:
    from kortana.transport.background_sync import BackgroundSync

    if BackgroundSync.open() is None:
        return Check("sync", True, "on the spot: no asynchronous fdatasync here, which costs a tenth of the throughput")
    return Check("sync", True, "in the kernel's background")


def _data_folder(project: Project) -> Check:
    layout = project.layout
    barred = next((path for path in [_there(layout), *_contents(layout)] if not os.access(path, _needed(path))), None)
    if barred is not None:
        return Check("data folder", False, f"{barred} cannot be read and written", _REMEDY_OF_RIGHTS)
    if layout.run.exists() and layout.run.stat().st_mode & layout.root.stat().st_mode & 0o077:
        remedy = f"chmod 700 {layout.run}; where that changes nothing, its file system knows no rights: set data_dir"
        return Check("data folder", False, f"{layout.run} is open to others", remedy)
    return Check("data folder", True, str(layout.root))


def _there(layout: DataLayout) -> Path:
    """The data folder, or the nearest one above it that is there."""
    return next(folder for folder in (layout.root, *layout.root.parents) if folder.exists())


def _contents(layout: DataLayout) -> Iterator[Path]:
    """What is in the data folder, and in its folders; a few hundred files at most."""
    for folder in (layout.root, layout.run, layout.logs, layout.crashes):
        if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            yield from sorted(folder.iterdir())


def _needed(path: Path) -> int:
    return os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)


def _room(project: Project) -> Check:
    free = shutil.disk_usage(_there(project.layout)).free
    ok = free >= MIN_FREE_BYTES
    return Check(
        "disk", ok, f"{free >> 20} MiB free", "" if ok else "make room: below 256 MiB a journal soon stands still"
    )


def _socket(project: Project) -> Check:
    from kortana.transport.endpoint import SOCKET_NAME, why_not_listen_in

    run = project.layout.run
    why = why_not_listen_in(run) if run.exists() else ""
    return Check("socket", True, f"{why}: endpoint.json says where the socket is" if why else f"{run / SOCKET_NAME}")


def _leftovers(project: Project) -> Check:
    from kortana.processes.leftovers import remembered_run

    holder = project.holder()
    if holder is not None:
        return Check("running", True, f"pid {holder}" if holder else "yes; its process is not seen from here")
    run = remembered_run(project.layout.processes)
    if run is not None:
        return Check(
            "last run", True, f"{run} did not end cleanly", "`kortana up` ends what it has left, and records it"
        )
    return Check("running", True, "no")


def _data(project: Project) -> Check:
    from kortana.adapters.files.fsck import examine
    from kortana.cli.offline import limits_for

    if not project.layout.journal.exists():
        return Check("journal", True, "none yet")
    if project.holder() is not None:
        return Check("journal", True, "in use; `kortana fsck` checks it")
    damaged = [f for f in examine(project.layout, limits_for(project)) if f.level == "damage"]
    if damaged:
        first = damaged[0]
        return Check("journal", False, f"{first.file}: {first.what}", "kortana fsck, then kortana fsck --repair")
    return Check("journal", True, "whole")


def missing_commands(config: Config) -> list[str]:
    """Programs of workers that are not to be found, each with how to get it where that is known."""
    missing = []
    for worker in config.workers:
        known = KNOWN.get(worker.agent or "")
        program = worker.cli.command[0] if worker.cli.command else known.command[0] if known else None
        if program and not _is_there(program, worker.cwd, worker.env.get("PATH")):
            how = f" ({known.install})" if known and not worker.cli.command else ""
            missing.append(f"{worker.name}: {program}{how}")
        if worker.command and not _is_there(worker.command[0], worker.cwd, worker.env.get("PATH")):
            missing.append(f"{worker.name}: {worker.command[0]}")
    return missing


def _commands(project: Project) -> Check:
    missing = missing_commands(project.config)
    if missing:
        return Check("commands", False, "not found: " + "; ".join(missing), "install them, or give their whole path")
    return Check("commands", True, f"{sum(bool(w.command) for w in project.config.workers)} found")


def _worktrees(project: Project) -> Check:
    from kortana.agent.git import MERGES_SINCE, GitError, git, version_of

    try:
        found = version_of(git(Path.cwd(), "--version"))
    except GitError as error:
        return Check("git", False, str(error), "install git 2.38 or later")
    told = ".".join(map(str, found))
    if found < MERGES_SINCE and any(worker.cli.merge for worker in project.config.workers):
        return Check("git", False, told, "cli.merge needs git 2.38 or later")
    needed = {
        ("rev-parse", "--verify", "HEAD"): "cli.worktree needs a repository with a commit",
        ("var", "GIT_COMMITTER_IDENT"): "git config user.name and user.email: what agents change is committed",
    }
    for worker in project.config.workers:
        for words, remedy in needed.items() if worker.cli.worktree else ():
            try:
                git(Path(worker.cwd), *words)
            except GitError as error:
                return Check("git", False, f"{worker.name}: {error}", remedy)
    return Check("git", True, told)


_OF_A_PROJECT: dict[str, Callable[[Project], Check]] = {
    "data folder": _data_folder, "disk": _room, "socket": _socket, "running": _leftovers, "journal": _data,
    "commands": _commands,
}  # fmt: skip


def _is_there(name: str, cwd: str, path: str | None) -> bool:
    if "/" in name:
        return os.access(os.path.join(cwd, name), os.X_OK)
    return shutil.which(name, path=path) is not None


COMMANDS = {"doctor": doctor}
