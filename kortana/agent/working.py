"""A block of code that works on a task: its lease is renewed meanwhile, and its end is the task's."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from kortana.agent.answers import Task
from kortana.agent.pace import renew_every_s
from kortana.processes.threads import starting_threads

if TYPE_CHECKING:
    from kortana.agent.interface import AgentInterface

JOIN_S = 60.0


@contextmanager
def renewing(agent: "AgentInterface", task: Task) -> Iterator[None]:
    """Renews the lease of a task in the background, as often as `pace` says; a refusal sets `task.lost`. Raises OSError
    where the system allows no more threads; the task has been given back then."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(renew_every_s(task.ttl_s)):
            try:
                if not agent.heartbeat(task.id):
                    task.lose()
                    return
            except (OSError, TimeoutError):
                continue

    thread = threading.Thread(target=renew, name=f"renew-{task.id}", daemon=True)
    try:
        with starting_threads():
            thread.start()
    except OSError:
        with suppress(OSError, TimeoutError):
            task.give_back()
        raise
    try:
        yield
    finally:
        done.set()
        thread.join(JOIN_S)


@contextmanager
def working_on(agent: "AgentInterface", task: Task) -> Iterator[Task]:
    """Completes the task at the end, or leaves it blocked where it is; gives it back where the program is interrupted;
    reports failure on any other exception, which goes on, and where its result cannot be sent (TypeError, ValueError).
    Nothing of that once the lease is lost, or the task was given back in the block."""
    with renewing(agent, task):
        try:
            yield task
        except BaseException as error:
            if task.is_open:
                with suppress(OSError, TimeoutError):  # what has happened in the block matters more
                    if isinstance(error, KeyboardInterrupt | GeneratorExit):
                        task.give_back()
                    else:
                        _fail(agent, task, error)
            raise
        if task.is_open and task.is_blocked:
            task.give_back()
        elif task.is_open:
            try:
                agent.update_task_status(task.id, "completed", task.details, result=task.result)
            except (TypeError, ValueError) as error:
                _fail(agent, task, error)
                raise


def _fail(agent: "AgentInterface", task: Task, error: BaseException) -> None:
    agent.update_task_status(task.id, "failed", f"{type(error).__name__}: {error}"[:1000])
