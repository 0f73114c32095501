"""Claims that wait: served as soon as they can be, whatever it was that stood against them."""

from collections.abc import Callable

import pytest

from kortana.core.commands import Configure, Disconnect
from kortana.core.limits import Limits
from tests.core.harness import Core


@pytest.fixture
def core() -> Core:
    core = Core()
    core.up("a", "b")
    return core


def test_one_that_waits_for_a_task_by_its_id_gets_it_when_the_paths_are_free(core: Core) -> None:
    core.add("docs", paths=["docs/**"])
    core.add("page", paths=["docs/a.md"])
    core.claim("a", "docs")
    assert core.claim("b", "page", wait_s=60) is None
    core.say("a", "TASK_UPDATE", "docs", status="completed")
    assert core.state.tasks["page"].owner == "b"


def test_it_goes_on_waiting_where_a_second_reservation_is_in_the_way(core: Core) -> None:
    core.up("c", "d")
    for name, paths in (("one", ["x/1"]), ("two", ["x/2"]), ("both", ["x/1", "x/2"])):
        core.add(name, paths=paths)
    core.claim("a", "one")
    core.claim("c", "two")
    assert core.claim("b", "both", wait_s=60) is None
    core.say("a", "TASK_UPDATE", "one", status="completed")
    assert core.status("both") == "pending"
    core.say("c", "TASK_UPDATE", "two", status="completed")
    assert core.state.tasks["both"].owner == "b"


def test_of_what_comes_back_the_more_urgent_goes_first_and_who_waited_longer_gets_it(core: Core) -> None:
    core.up("c", "d")
    core.add("wide", paths=["**"], priority=99)
    for name, priority in (("low", 10), ("high", 90), ("middle", 50)):
        core.add(name, paths=[f"{name}/**"], priority=priority)
    assert core.claim("a")["task"]["id"] == "wide"
    for agent, wanted in (("b", None), ("c", "middle"), ("d", None)):
        core.claim(agent, wanted, wait_s=60)
    core.say("a", "TASK_UPDATE", "wide", status="completed")
    assert [core.state.tasks[name].owner for name in ("high", "middle", "low")] == ["b", "c", "d"]


def _full(core: Core) -> None:
    """`a` holds all the leases it may, and waits for one more."""
    core.add("t1")
    core.add("t2")
    core.claim("a", "t1")
    assert core.claim("a", "t2", wait_s=60) is None


@pytest.mark.parametrize(
    "make_room",
    [
        lambda core: core.say("operator", "TASK_CANCEL", "t1"),
        lambda core: core.say("operator", "TASK_RELEASE", "t1"),
        lambda core: core.say("operator", "OPERATOR_EDIT", "t1", remove=True),
        lambda core: core.say("operator", "OPERATOR_EDIT", "t1", set={"status": "completed"}),
        lambda core: core.say("a", "TASK_RELEASE", "t1"),
        lambda core: core.pass_time(130),
        lambda core: core.run(Configure(Limits(max_leases_per_agent=2))),
    ],
    ids=["cancelled", "released", "removed", "completed by hand", "given back", "expired", "more allowed"],
)
def test_who_held_too_many_gets_the_next_as_soon_as_it_may(make_room: Callable[[Core], None]) -> None:
    core = Core(max_leases_per_agent=1)
    core.up("a", "b")
    _full(core)
    core.claim("a", "t2", wait_s=3600)
    make_room(core)
    assert core.state.tasks["t2"].owner == "a"


def test_a_lease_that_ends_with_its_connection_makes_room_for_what_waits_on_another() -> None:
    core = Core(max_leases_per_agent=1)
    core.up("a")
    core.add("t2")
    core.send(core.event("a", "TASK_CLAIM", "t1"), conn=1, tied=True)
    core.send(core.event("a", "TASK_CLAIM", "t2", wait_s=60), conn=2)
    core.run(Disconnect(1, "a", True, False))
    assert core.state.tasks["t2"].owner == "a"


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (lambda core: core.say("a", "TASK_UPDATE", "t", status="completed"), "task_terminal"),
        (lambda core: core.say("operator", "TASK_CANCEL", "t"), "task_terminal"),
        (lambda core: core.say("a", "TASK_UPDATE", "t", status="failed"), "task_quarantined"),
        (lambda core: core.say("operator", "OPERATOR_EDIT", "t", remove=True), "unknown_task"),
    ],
    ids=["completed", "cancelled", "quarantined", "removed"],
)
def test_nobody_goes_on_waiting_for_a_task_that_is_over(core: Core, end: Callable[[Core], None], reason: str) -> None:
    core.add("t", max_attempts=1)
    core.claim("a", "t")
    claim = core.event("b", "TASK_CLAIM", "t", wait_s=60)
    assert core.send(claim) is None
    end(core)
    assert core.answers[claim.id]["reason"] == reason and not core.state.waiters
    core.check()


def test_paths_that_an_operator_takes_from_a_held_task_are_free_at_once(core: Core) -> None:
    core.add("docs", paths=["docs/**"])
    core.add("page", paths=["docs/a.md"])
    core.claim("a", "docs")
    assert core.claim("b", wait_s=60) is None
    core.say("operator", "OPERATOR_EDIT", "docs", set={"paths": ["src/**"]})
    assert core.state.tasks["page"].owner == "b"
