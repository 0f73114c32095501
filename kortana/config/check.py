"""Rules that span several keys: budgets against backoff, references, cycles."""

import os
from collections.abc import Callable, Mapping, Sequence, Set

import yaml

from kortana.config.nodes import Reader
from kortana.config.spec import BackoffSpec, Config, TaskSpec, WorkerSpec
from kortana.core.adding import wrong_with
from kortana.core.backoff import delay_s
from kortana.protocol.payloads import TaskAdd, asked_by

Pairs = Mapping[str, tuple[yaml.Node, yaml.Node]]


def check_worker(
    reader: Reader, worker: WorkerSpec, pairs: Pairs, node: yaml.Node, path: str, wrong: Set[str] = frozenset()
) -> None:
    """What must agree within one worker. wrong: keys that are not as they were meant: nothing follows from them."""

    def problem(key: str, what: str, *others: str) -> None:
        if wrong.isdisjoint((key, *others)):
            reader.problem(pairs[key][1] if key in pairs else node, f"{path}.{key}", what)

    for kind, key in (("log", "pattern"), ("tcp", "port"), ("http", "url"), ("exec", "command")):
        given = getattr(worker.ready, key) is not None
        if worker.ready.type == kind and not given:
            problem("ready", f"type {kind} needs a {key}")
        elif worker.ready.type != kind and given:
            problem("ready", f"{key} means nothing with type {worker.ready.type}")
    if worker.ready.url is not None and not _is_url(worker.ready.url):
        problem("ready", "url: http://HOST[:PORT]/... or https:// is needed")
    if worker.agent == "cli" and worker.cli.command is None:
        problem("cli", "agent cli needs a command", "agent")
    if worker.agent in (None, "shell") and "cli" in pairs:
        problem("cli", "means something only with agent claude, codex, gemini, opencode or cli", "agent")
    if worker.cli.merge and not worker.cli.worktree:
        problem("cli", "merge means something only with worktree: true")
    if worker.cli.template is not None and not os.path.isfile(worker.cli.template):
        problem("cli", f"there is no file {worker.cli.template}")
    if worker.entrypoint is not None and not _is_entrypoint(worker.entrypoint):
        problem("entrypoint", "module:callable is needed")
    if worker.backoff.max < worker.backoff.initial:
        problem("backoff", "max is less than initial")
    elif worker.restart != "temporary" and not _can_exhaust(worker):
        what = (
            f"intensity {worker.intensity} in {worker.period:g}s can never be exhausted: by then the backoff makes "
            f"{worker.intensity} restarts take longer than that; make period longer, or intensity or backoff smaller"
        )
        key = "intensity" if "intensity" in pairs else "backoff"
        problem(key, what, "intensity", "period", "backoff", "restart")
    _check_files(worker, problem)


def _check_files(worker: WorkerSpec, problem: Callable[[str, str], None]) -> None:
    if not os.path.isdir(worker.cwd):
        problem("cwd", f"there is no folder {worker.cwd}")
    if worker.env_file is not None and not os.path.isfile(worker.env_file):
        problem("env_file", f"there is no file {worker.env_file}")


def _is_url(text: str) -> bool:
    from urllib.parse import urlsplit  # loaded where a worker is asked so: most trees have none

    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is none, or an address in brackets that is none
        return False


def _is_entrypoint(text: str) -> bool:
    module, _, name = text.partition(":")
    return all(part.isidentifier() for part in module.split(".")) and all(
        part.isidentifier() for part in name.split(".")
    )


def _can_exhaust(worker: WorkerSpec) -> bool:
    """Whether a worker that dies at once can use its budget up, even with the longest of its jitter.

    The restarts are closest to each other at the beginning, as the delays only grow: restart 1 and restart
    `intensity + 1` must fit into one period.
    """
    backoff: BackoffSpec = worker.backoff
    spread = sum(delay_s(backoff, n, 0.0) for n in range(2, min(worker.intensity, 10_000) + 2))
    return spread * (1 - backoff.jitter) <= worker.period


def check_workers(reader: Reader, workers: Sequence[WorkerSpec], nodes: Mapping[str, yaml.Node]) -> None:
    """What must agree between workers: names of replicas, `start_after`."""
    names: dict[str, str] = {}
    for worker in workers:
        for name in worker.replica_names():
            if name in names:
                what = f"its replica {name} has the name of another worker ({names[name]})"
                reader.problem(nodes[worker.name], f"workers.{worker.name}", what)
            names[name] = worker.name
    after = {worker.name: list(worker.start_after) for worker in workers}
    for worker in workers:
        for needed in worker.start_after:
            if needed not in nodes:
                where = _place(nodes[worker.name], "start_after", needed)
                reader.problem(where, f"workers.{worker.name}.start_after.{needed}", f"there is no worker {needed}")
    for cycle in cycles_of(after):
        what = "a cycle: " + " -> ".join([*cycle, cycle[0]])
        where = _place(nodes[cycle[0]], "start_after", cycle[1 % len(cycle)])
        reader.problem(where, f"workers.{cycle[0]}.start_after", what)


def _place(node: yaml.Node, *names: str) -> yaml.Node:
    """What is named one below the other, keys or elements of a list, as far as it stands there itself: it may come from
    elsewhere (`defaults`, a profile)."""
    place = node
    for name in names:
        pairs = node.value if isinstance(node, yaml.MappingNode) else ()
        if isinstance(node, yaml.SequenceNode):
            pairs = [(item, item) for item in node.value]
        found = next(((key, value) for key, value in pairs if key.value == name), None)
        if found is None:
            break
        place, node = found
    return place


def check_tasks(
    reader: Reader, tasks: Sequence[TaskSpec], nodes: Sequence[yaml.MappingNode], max_lease_ttl_s: float
) -> None:
    """What the coordinator would refuse, and what must agree between tasks: ids, `depends_on`.

    Each task stands at the node of the same index.
    """
    seen: dict[str, yaml.Node] = {}
    for task, item in zip(tasks, nodes, strict=True):
        if task.id in seen:
            reader.problem(item, f"tasks.{task.id}", "this id stands twice")
        seen[task.id] = item
        _check_task(reader, task, item, max_lease_ttl_s)
    for task in tasks:
        for needed in task.depends_on:
            if needed not in seen:
                where = _place(seen[task.id], "depends_on", needed)
                reader.problem(where, f"tasks.{task.id}.depends_on", f"there is no task {needed}")
    needs: dict[str, list[str]] = {}
    for task in tasks:
        needs.setdefault(task.id, []).extend(task.depends_on)
    for cycle in cycles_of(needs):
        what = "a cycle: " + " -> ".join([*cycle, cycle[0]])
        where = _place(seen[cycle[0]], "depends_on", cycle[1 % len(cycle)])
        reader.problem(where, f"tasks.{cycle[0]}.depends_on", what)


def _check_task(reader: Reader, task: TaskSpec, node: yaml.MappingNode, max_lease_ttl_s: float) -> None:
    wrong = wrong_with(task.id, task_payload(task), max_lease_ttl_s)
    if wrong:
        field, _, what = wrong.partition(": ")
        key = {"lease_ttl_s": "lease_ttl", "task_id": "id"}.get(field, field)
        where = next((value for name, value in node.value if name.value == key), node)
        reader.problem(where, f"tasks.{task.id}.{key}", what)


def unmatched(config: Config) -> list[str]:
    """Tasks that no declared worker can do, each with what it asks for: an agent that comes by itself may."""
    found = []
    for task in config.tasks:
        able = [worker for worker in config.workers if set(worker.capabilities).issuperset(task.requires)]
        if task.requires and not able:
            found.append(f"task {task.id} requires {', '.join(task.requires)}, which no worker has")
        elif able and not any(_is_told(worker, task) for worker in able):
            asked = dict.fromkeys(field for worker in able for field in asked_by(worker.agent or ""))
            found.append(f"task {task.id} has no {', '.join(asked)}, which the adapters of all workers for it ask for")
    return found


def _is_told(worker: WorkerSpec, task: TaskSpec) -> bool:
    """Whether the task says what this worker can do: a worker of one's own may know it by its id."""
    asked = asked_by(worker.agent or "")
    return not asked or any(getattr(task, field) for field in asked)


def task_payload(task: TaskSpec) -> TaskAdd:
    """A declared task as what its TASK_ADD says."""
    return TaskAdd(
        title=task.title, run=task.run, prompt=task.prompt, priority=task.priority, depends_on=task.depends_on,
        paths=task.paths, requires=task.requires, lease_ttl_s=task.lease_ttl, max_attempts=task.max_attempts,
    )  # fmt: skip


def cycles_of(edges: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """One cycle through each knot of a graph (node → the nodes it needs). Depth first, without recursion."""
    done: set[str] = set()
    found = []
    for root in edges:
        way: list[str] = []
        todo = [(root, iter(edges.get(root, ())))] if root not in done else []
        while todo:
            node, rest = todo[-1]
            if not way or way[-1] != node:
                way.append(node)
            following = next((n for n in rest if n in edges), None)
            if following is None:
                done.add(node)
                way.pop()
                todo.pop()
            elif following in way:
                found.append(way[way.index(following) :])
                done.update(way)
                break
            elif following not in done:
                todo.append((following, iter(edges.get(following, ()))))
    return found
