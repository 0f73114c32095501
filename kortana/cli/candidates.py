"""What a shell completes besides commands and options: the names of the project's workers, tasks and crashes."""

from collections.abc import Callable, Container, Iterable

import click
import msgspec
from click.shell_completion import CompletionItem

from kortana.cli.common import Project
from kortana.cli.errors import CliError

MOST = 200
MAX_GRAPH_BYTES = 64 << 20
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


class _Task(msgspec.Struct):
    status: str
    title: str = ""


class _Graph(msgspec.Struct):
    tasks: dict[str, _Task]


def _of_project(find: Callable[[Project], Iterable[tuple[str, str]]]) -> Complete:
    """find: gives names, each with a word on it. Where there is no project, or none that can be read, nothing fits."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        before = ctx.params.get(param.name or "")
        given = before if isinstance(before, tuple) else ()
        try:
            found = list(find(Project(ctx.params.get("file"))))
        except (CliError, OSError, ValueError, msgspec.MsgspecError):
            return []
        names = [(name, text) for name, text in found if name.startswith(incomplete) and name not in given]
        return [CompletionItem(name, help=text or None) for name, text in names[:MOST]]

    return complete


def _workers(project: Project) -> list[tuple[str, str]]:
    """Each by its own name, and all replicas of one by theirs."""
    replicas = project.replicas()
    return [(name, "") for name in dict.fromkeys((*replicas.values(), *replicas))]


def _tasks(project: Project) -> list[tuple[str, str]]:
    """As the last snapshot has them."""
    path = project.layout.task_graph
    if path.stat().st_size > MAX_GRAPH_BYTES:
        return []
    found = msgspec.json.decode(path.read_bytes(), type=_Graph).tasks
    return [(name, f"{task.status} {task.title}".rstrip()) for name, task in found.items()]


def config_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Of kortana.yaml, each with what it is for."""
    from kortana.config.reference import keys

    return [CompletionItem(key.path, help=key.text) for key in keys() if key.path.startswith(incomplete)]


workers = _of_project(_workers)
logs = _of_project(lambda project: [*_workers(project), ("kortana", "the supervisor's own log")])
sizes = _of_project(lambda project: [(f"{name}=", "") for name in dict.fromkeys(project.replicas().values())])
tasks = _of_project(_tasks)
crashes = _of_project(lambda project: [(path.stem, "") for path in sorted(project.layout.crashes.glob("*.json"))])


def fixed(words: Iterable[str]) -> Complete:
    return lambda ctx, param, incomplete: [CompletionItem(word) for word in words if word.startswith(incomplete)]


def words_of(first: Iterable[str], second: Complete, before_second: Container[str] | None = None) -> Complete:
    """For commands that read their words themselves: the first is one of these; the second, after all or some of them,
    is what `second` finds."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        given = ctx.params.get("words") or ()
        if not given:
            return fixed(first)(ctx, param, incomplete)
        more = len(given) == 1 and (before_second is None or given[0] in before_second)
        return second(ctx, param, incomplete) if more else []

    return complete
