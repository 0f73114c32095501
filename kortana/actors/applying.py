"""`kortana apply` and `scale`: from the configuration in force to another one, worker by worker."""

from typing import TYPE_CHECKING, Any

import msgspec

from kortana.config.check import task_payload
from kortana.config.spec import Config, WorkerSpec
from kortana.core.adding import cycle_among, differences
from kortana.core.state import State

if TYPE_CHECKING:
    from kortana.actors.supervisor import SupervisorActor

ADD, REMOVE, CHANGE, KEEP = "add", "remove", "change", "keep"


class Step(msgspec.Struct, frozen=True):
    """One line of a plan."""

    action: str
    kind: str
    """`worker`, `task` or `section`."""
    name: str
    what: str = ""


def replicas_of(config: Config) -> dict[str, WorkerSpec]:
    return {name: worker for worker in config.workers for name in worker.replica_names()}


def _differing(old: Any, new: Any) -> str:
    names = [field.name for field in msgspec.structs.fields(type(old))]
    return ", ".join(name for name in names if getattr(old, name) != getattr(new, name) and name != "replicas")


_AT_RESTART = ("supervisor", "journal", "relay", "guard", "project", "data_dir")
"""What a running tree cannot change."""


TAKEN_IN_ONCE = "a task is taken in once; after `kortana tasks rm` it is taken in anew"


def changed_tasks(state: State, config: Config) -> dict[str, str]:
    """Declared tasks that are in the graph and say something else there → the fields in which they do."""
    found = {}
    for declared in config.tasks:
        task = state.tasks.get(declared.id)
        if task is not None and (fields := differences(task, task_payload(declared))):
            found[declared.id] = ", ".join(fields)
    return found


def plan(old: Config, new: Config, known_tasks: frozenset[str], changed: dict[str, str]) -> list[Step]:
    """What leads from the old configuration to the new one, in the order in which it is done.

    known_tasks: those that are in the graph. changed: see `changed_tasks`.
    """
    before, after = replicas_of(old), replicas_of(new)
    steps = [Step(REMOVE, "worker", name) for name in reversed(before) if name not in after]
    for name, spec in after.items():
        if name not in before:
            steps.append(Step(ADD, "worker", name))
        else:
            what = _differing(before[name], spec)
            steps.append(Step(CHANGE if what else KEEP, "worker", name, what))
    steps += [Step(ADD, "task", task.id) for task in new.tasks if task.id not in known_tasks]
    steps += [Step(KEEP, "task", name, f"{what} differs: {TAKEN_IN_ONCE}") for name, what in changed.items()]
    if old.coordinator != new.coordinator:
        steps.append(Step(CHANGE, "section", "coordinator", _differing(old.coordinator, new.coordinator)))
    for name in _AT_RESTART:
        if getattr(old, name) != getattr(new, name):
            what = "takes effect at the next `kortana up`"
            steps.append(Step(KEEP, "section", name, what))
    return steps


def scaled(config: Config, counts: dict[str, int]) -> Config | str:
    """The configuration with other numbers of replicas, or what is wrong with them."""
    known = {worker.name: worker for worker in config.workers}
    for name, count in counts.items():
        if name not in known:
            return f"there is no worker {name!r}; there are: {', '.join(known)}"
        if not 1 <= count <= 1000:
            return f"{name}: 1 to 1000 replicas, not {count} (`kortana stop {name}` stops it)"
    workers = tuple(
        msgspec.structs.replace(worker, replicas=counts.get(worker.name, worker.replicas)) for worker in config.workers
    )
    found = msgspec.structs.replace(config, workers=workers)
    names = [name for worker in workers for name in worker.replica_names()]
    doubled = {name for name in names if names.count(name) > 1}
    return f"two workers would be named {', '.join(sorted(doubled))}" if doubled else found


class TaskCycleError(Exception):
    """Declared tasks and tasks that are in the graph already depend on each other in a circle."""


def check_cycles(state: State, config: Config) -> None:
    """Raises TaskCycleError. Tasks that are there already stay as they are."""
    added = {task.id: task.depends_on for task in config.tasks if task.id not in state.tasks}
    name = cycle_among(state, added)
    if name is not None:
        what = "with the tasks that are in the graph already (`kortana tasks list`) it would depend on itself"
        raise TaskCycleError(f"{config.path}: tasks.{name}.depends_on: {what}")


def carry_out(actor: "SupervisorActor", new: Config, steps: list[Step]) -> None:
    """Tells workers; what takes time goes on by itself."""
    specs = replicas_of(new)
    actor.config = msgspec.structs.replace(
        new, **{name: getattr(actor.config, name) for name in _AT_RESTART}
    )  # fmt: skip
    for step in steps:
        if step.kind != "worker":
            continue
        if step.action == REMOVE:
            actor.dismiss(step.name)
        elif step.action == ADD:
            actor.hire(specs[step.name], step.name)
        elif step.action == CHANGE:
            actor.change(specs[step.name], step.name)
        elif actor.workers[step.name].view.state == "waiting":
            actor.declare(actor.workers[step.name])  # the replicas that it waits for may be others
    order = {name: index for index, name in enumerate(specs)}
    kept = sorted(actor.workers.items(), key=lambda item: order.get(item[0], -1))
    actor.workers.clear()
    actor.workers.update(kept)
