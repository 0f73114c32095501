"""The rules of CONTRACT section 5, on a clock that the test moves."""

import msgspec
import pytest

from kortana.core.checkpoint import Checkpoint, canonical, rest_of, restore
from kortana.core.commands import AgentUp, Boot, Declare, Disconnect
from kortana.core.views import why
from tests.core.harness import Core


@pytest.fixture
def core():
    core = Core()
    core.up("a", "b")
    yield core
    core.check()
    assert canonical(core.replayed()) == canonical(core.state)


def test_a_claim_grants_a_lease_whose_token_is_the_seq_of_its_grant(core):
    answer = core.claim("a", "t")
    assert answer["accepted"] and answer["task"]["status"] == "in_progress"
    assert answer["lease"]["token"] == answer["seq"] == core.records[-1].seq
    assert answer["lease"]["ttl_s"] == 120.0
    assert core.state.tasks["t"].owner == "a"


def test_a_claim_of_anothers_task_is_denied_with_a_directive_that_names_the_holder(core):
    core.claim("a", "t")
    answer = core.claim("b", "t")
    assert (answer["accepted"], answer["reason"]) == (False, "task_already_leased")
    assert core.told("b") == [{"instruction": "claim_denied", "reason": "Task leased by a"}]


def test_a_claim_by_the_holder_renews_with_the_same_token(core):
    first = core.claim("a", "t", ttl_s=10)
    core.pass_time(8)
    again = core.claim("a", "t")
    assert again["lease"]["token"] == first["lease"]["token"] and again["lease"]["ttl_s"] == 10
    core.pass_time(8)
    assert core.status("t") == "in_progress"


def test_the_next_ready_task_is_the_one_with_the_highest_priority_then_the_oldest(core):
    for name, priority in (("low", 1), ("first", 9), ("second", 9)):
        core.add(name, priority=priority)
    got = [core.claim("a")["task"]["id"] for _ in range(3)]
    assert got == ["first", "second", "low"]
    assert core.claim("a")["reason"] == "nothing_ready"


def test_the_answer_to_a_claim_of_the_next_task_is_about_that_task(core):
    core.add("t")
    core.claim("a")
    granted = core.records[-1].event
    assert (granted.event_type, granted.task_id) == ("ACK", "t")
    core.claim("a")
    assert core.records[-1].event.task_id is None, "nothing was to be had"


def test_a_task_waits_for_what_it_depends_on(core):
    core.add("build")
    core.add("test", depends_on=["build"])
    assert core.claim("a", "test")["reason"] == "dependencies_unmet"
    assert core.claim("a")["task"]["id"] == "build"
    assert core.claim("a")["reason"] == "nothing_ready"
    core.say("a", "TASK_UPDATE", "build", status="completed")
    assert core.claim("a")["task"]["id"] == "test"


def test_a_cycle_of_dependencies_is_refused(core):
    core.add("x", depends_on=["y"])
    assert core.add("y", depends_on=["x"])["reason"] == "dependency_cycle"
    assert core.add("z", depends_on=["z"])["reason"] == "dependency_cycle"


def test_capabilities_decide_who_can_take_a_task(core):
    core.up("c", capabilities=("python",))
    core.add("t", requires=["python"])
    assert core.claim("a", "t")["reason"] == "missing_capability"
    assert core.claim("a")["reason"] == "nothing_ready"
    assert core.claim("c")["task"]["id"] == "t"


def test_paths_are_reserved_while_leased_and_free_afterwards(core):
    core.add("docs", paths=["docs/**"])
    core.add("page", paths=["docs/a.md"])
    core.add("code", paths=["src/*.py"])
    core.claim("a", "docs")
    assert core.claim("b", "page")["reason"] == "path_conflict"
    assert core.claim("b")["task"]["id"] == "code"
    assert core.claim("b")["reason"] == "nothing_ready"
    core.say("a", "TASK_UPDATE", "docs", status="completed")
    assert core.claim("b")["task"]["id"] == "page"


def test_an_unrenewed_lease_expires_and_the_former_owner_is_told(core):
    core.claim("a", "t", ttl_s=10)
    core.pass_time(9.99)
    assert core.status("t") == "in_progress"
    core.pass_time(0.02)
    assert core.status("t") == "pending" and core.state.tasks["t"].attempts == 1
    assert core.told("a", "LEASE_EXPIRED")[0]["by"] == "a"


def test_a_heartbeat_renews_all_leases_and_an_expired_one_is_never_renewed(core):
    core.claim("a", "t", ttl_s=10)
    core.claim("a", "u", ttl_s=10)
    core.pass_time(9)
    assert set(core.say("a", "HEARTBEAT")["result"]["renewed"]) == {"t", "u"}
    core.pass_time(9)
    assert core.status("t") == "in_progress"
    core.pass_time(2)
    assert core.say("a", "HEARTBEAT", "t")["reason"] == "not_owner"
    assert core.status("t") == "pending"


def test_a_late_update_with_an_old_token_changes_nothing(core):
    old = core.claim("a", "t", ttl_s=5)["lease"]["token"]
    core.pass_time(6)
    new = core.claim("b", "t")["lease"]["token"]
    assert new > old
    assert core.say("a", "TASK_UPDATE", "t", status="completed", token=old)["reason"] == "stale_lease"
    assert core.say("a", "TASK_UPDATE", "t", status="completed")["reason"] == "task_owned_by_b"
    assert core.status("t") == "in_progress" and core.state.tasks["t"].owner == "b"


def test_terminal_stays_terminal(core):
    core.claim("a", "t")
    core.say("a", "TASK_UPDATE", "t", status="completed", progress=50)
    assert core.claim("b", "t")["reason"] == "task_terminal"
    assert core.say("a", "TASK_UPDATE", "t", status="in_progress")["reason"] == "task_terminal"
    assert core.state.tasks["t"].progress == 100.0


def test_a_failed_task_is_tried_again_until_it_is_quarantined_and_retry_brings_it_back(core):
    core.add("t", max_attempts=2)
    for _ in range(2):
        assert core.claim("a", "t")["accepted"]
        core.say("a", "TASK_UPDATE", "t", status="failed", details="boom")
    assert core.status("t") == "failed" and core.state.tasks["t"].quarantined
    assert core.claim("b", "t")["reason"] == "task_quarantined"
    assert "boom" in core.told("b", "TASK_QUARANTINED")[0]["reason"]
    assert core.say("operator", "TASK_RESET", "t", mode="retry")["accepted"]
    assert core.claim("b", "t")["accepted"]


def test_a_blocker_makes_the_others_replan_once(core):
    core.claim("a", "t")
    for _ in range(2):
        assert core.say("a", "BLOCKER", "t", reason="needs the schema", needs=["schema"])["accepted"]
    told = [d for d in core.told("b") if d["instruction"] == "replan"]
    assert len(told) == 1 and told[0]["by"] == "a" and told[0]["task_id"] == "t"
    assert core.told("a") == [] and core.status("t") == "blocked"


def test_completing_all_that_a_blocker_needs_unblocks_the_task(core):
    core.add("schema")
    core.claim("a", "t")
    core.say("a", "BLOCKER", "t", reason="needs the schema", needs=["schema"])
    core.claim("b", "schema")
    core.say("b", "TASK_UPDATE", "schema", status="completed")
    assert core.status("t") == "in_progress"
    assert core.told("a")[-1]["instruction"] == "unblocked"


@pytest.mark.parametrize("how", ["needs_completed", "resumed_by_owner", "released_by_operator"])
def test_whoever_was_told_to_replan_is_told_when_the_task_is_unblocked(core, how):
    core.add("schema")
    core.claim("a", "t")
    core.say("a", "BLOCKER", "t", reason="needs the schema", needs=["schema"])
    if how == "needs_completed":
        core.claim("b", "schema")
        core.say("b", "TASK_UPDATE", "schema", status="completed")
    elif how == "resumed_by_owner":
        core.say("a", "TASK_UPDATE", "t", status="in_progress")
    else:
        core.say("operator", "TASK_RELEASE", "t")
    for agent in ("a", "b"):
        told = [d for d in core.told(agent) if d["instruction"] == "unblocked"]
        assert [(d["reason"], d["by"], d["task_id"], d["needs"]) for d in told] == [(how, "a", "t", ["schema"])]
    released = how == "released_by_operator"
    assert core.status("t") == ("pending" if released else "in_progress")
    assert [d["reason"] for d in core.told("a") if d["instruction"] == "lease_released"] == [how] * released


def test_of_a_task_that_was_only_said_to_be_blocked_nobody_else_is_told(core):
    core.claim("a", "t")
    core.say("a", "TASK_UPDATE", "t", status="blocked")
    core.say("a", "TASK_UPDATE", "t", status="in_progress")
    assert core.told("a")[-1]["instruction"] == "unblocked" and core.told("b") == []


def test_a_blocked_task_that_was_given_back_stays_blocked_until_its_needs_are_met(core):
    core.claim("a", "t")
    core.say("a", "BLOCKER", "t", reason="r", needs=["schema"])
    core.say("a", "TASK_RELEASE", "t")
    assert core.claim("b", "t")["reason"] == "task_blocked"
    core.claim("b", "schema")
    core.say("b", "TASK_UPDATE", "schema", status="completed")
    assert core.claim("b", "t")["accepted"]


def test_the_death_of_a_worker_frees_its_tasks_at_once_for_whoever_waits(core):
    core.claim("a", "t")
    waiting = core.event("b", "TASK_CLAIM", "t", wait_s=60)
    assert core.send(waiting) is None
    core.down("a")
    assert core.answers[waiting.id]["accepted"]
    assert core.state.tasks["t"].owner == "b" and core.state.tasks["t"].attempts == 1


def test_a_clean_end_costs_no_attempt(core):
    core.claim("a", "t")
    core.down("a", clean=True)
    assert core.status("t") == "pending" and core.state.tasks["t"].attempts == 0


def test_waiting_claims_are_served_by_priority_of_the_task_then_first_come(core):
    core.up("c")
    first = core.event("a", "TASK_CLAIM", wait_s=60)
    second = core.event("b", "TASK_CLAIM", wait_s=60)
    core.send(first), core.send(second)
    core.claim("c", "gate")
    core.add("low", priority=1, depends_on=["gate"])
    core.add("high", priority=9, depends_on=["gate"])
    core.say("c", "TASK_UPDATE", "gate", status="completed")
    assert core.answers[first.id]["task"]["id"] == "high"
    assert core.answers[second.id]["task"]["id"] == "low"


def test_a_claim_may_ask_for_a_task_that_says_what_it_can_do(core):
    core.add("talk", prompt="Write it", priority=90)
    core.add("bare", priority=80)
    core.add("named", title="Write it", priority=70)
    core.add("job", run="make")
    assert core.claim("shell", having=["run"])["task"]["id"] == "job"
    assert core.claim("shell", having=["run"])["reason"] == "nothing_ready"
    assert core.claim("shell", "talk", having=["run"])["accepted"], "by its id, whatever it has"
    assert core.claim("writer", having=["prompt", "title", "run"])["task"]["id"] == "named"
    assert core.claim("anybody")["task"]["id"] == "bare"
    assert core.claim("shell", having=["tests"])["reason"] == "bad_payload"


def test_who_waits_for_a_task_to_run_is_not_given_one_to_read(core):
    shell = core.event("shell", "TASK_CLAIM", wait_s=60, having=["run"])
    core.send(shell)
    core.add("talk", prompt="Write it")
    assert shell.id not in core.answers
    assert why(core.state, "talk")["causes"] == [
        {"kind": "not_asked_for", "detail": "those that wait for a task ask for one with run, which it has not"}
    ]
    assert core.claim("writer", wait_s=60)["task"]["id"] == "talk"
    core.add("job", run="make")
    assert core.answers[shell.id]["task"]["id"] == "job"
    core.say("shell", "TASK_RELEASE", "job")
    assert core.claim("shell", having=["run"])["task"]["id"] == "job"


def test_a_wait_that_is_over_is_refused_with_what_stands_against_it(core):
    core.claim("a", "t")
    waiting = core.event("b", "TASK_CLAIM", "t", wait_s=5)
    core.send(waiting)
    core.pass_time(5.1)
    assert core.answers[waiting.id]["reason"] == "task_already_leased"


def test_a_waiting_claim_of_a_closed_connection_takes_nothing(core):
    core.claim("a", "t")
    waiting = core.event("b", "TASK_CLAIM", "t", wait_s=60)
    core.send(waiting, conn=7)
    core.run(Disconnect(7, "b", tied=False, last=True))
    core.say("a", "TASK_RELEASE", "t")
    assert core.state.tasks["t"].owner is None


def test_a_waiting_claim_that_is_sent_again_goes_on_waiting(core):
    core.claim("a", "t")
    waiting = core.event("b", "TASK_CLAIM", "t", wait_s=60)
    core.send(waiting, conn=7)
    core.run(Disconnect(7, "b", tied=False, last=False))
    core.send(waiting, conn=8)
    core.say("a", "TASK_RELEASE", "t")
    assert core.answers[waiting.id]["accepted"]
    assert [r.event.id for r in core.records].count(waiting.id) == 1


def test_a_waiting_claim_that_is_sent_again_waits_no_longer_than_it_had_asked_for(core):
    core.claim("a", "t", ttl_s=1000)
    waiting = core.event("b", "TASK_CLAIM", "t", wait_s=60)
    core.send(waiting, conn=7)
    core.pass_time(50)
    core.run(Disconnect(7, "b", tied=False, last=False))
    core.send(waiting, conn=8)
    core.pass_time(9)
    assert waiting.id not in core.answers
    core.pass_time(1)
    assert core.answers[waiting.id]["reason"] == "task_already_leased"
    late = core.event("b", "TASK_CLAIM", "t", wait_s=60)
    core.send(late, conn=8)
    core.run(Disconnect(8, "b", tied=False, last=False))
    core.pass_time(100)
    core.send(late, conn=9)
    core.pass_time(0)
    assert core.answers[late.id]["reason"] == "task_already_leased"


def test_tied_leases_end_with_their_connection_only(core):
    core.send(core.event("a", "TASK_CLAIM", "tied"), conn=3, tied=True)
    core.claim("a", "free")
    core.run(Disconnect(3, "a", tied=True, last=True))
    assert core.status("tied") == "pending" and core.status("free") == "in_progress"


def test_the_same_id_has_one_effect_and_one_answer(core):
    claim = core.event("a", "TASK_CLAIM", "t")
    first = core.send(claim)
    core.say("a", "TASK_RELEASE", "t")
    before = len(core.records)
    assert core.send(claim) == first
    assert len(core.records) == before and core.status("t") == "pending"


def test_the_same_id_with_another_body_is_a_conflict(core):
    core.send(core.event("a", "TASK_CLAIM", "t", event_id="x"))
    assert core.send(core.event("a", "TASK_CLAIM", "u", event_id="x"))["reason"] == "id_conflict"
    assert core.send(core.event("b", "TASK_CLAIM", "t", event_id="x"))["reason"] == "id_conflict", "another one's"
    assert "u" not in core.state.tasks


def test_an_id_that_waits_is_another_ones_conflict(core):
    core.claim("holder", "t")
    waiting = core.event("a", "TASK_CLAIM", "t", event_id="x", wait_s=60)
    assert core.send(waiting) is None
    assert core.send(core.event("b", "TASK_CLAIM", "t", event_id="x", wait_s=60))["reason"] == "id_conflict"
    core.say("holder", "TASK_RELEASE", "t")
    assert core.state.tasks["t"].owner == "a"


def test_too_many_leases_are_refused():
    core = Core(max_leases_per_agent=1)
    core.up("a")
    core.claim("a", "t")
    assert core.claim("a", "u")["reason"] == "too_many_leases"
    assert core.claim("a", "t")["accepted"]


def test_without_adhoc_tasks_an_unknown_task_is_refused():
    core = Core(adhoc_tasks=False)
    core.up("a")
    assert core.claim("a", "t")["reason"] == "unknown_task"


@pytest.mark.parametrize(
    ("source", "kind", "reason"),
    [
        ("a", "TASK_CANCEL", "forbidden"),
        ("a", "LEASE_EXPIRED", "forbidden"),
        ("a", "NONSENSE", "unknown_event_type"),
        ("operator", "HEARTBEAT", "forbidden"),
    ],
)
def test_only_what_a_role_may_say_is_heard(core, source, kind, reason):
    assert core.say(source, kind, "t")["reason"] == reason


@pytest.mark.parametrize(
    ("kind", "task", "payload", "reason"),
    [
        ("TASK_UPDATE", None, {"status": "completed"}, "missing_task_id"),
        ("TASK_UPDATE", "nope", {"status": "completed"}, "unknown_task"),
        ("TASK_UPDATE", "t", {"status": "done"}, "bad_status"),
        ("TASK_UPDATE", "t", {"status": "in_progress", "progress": 101}, "bad_payload"),
        ("TASK_UPDATE", "t", {}, "bad_payload"),
        ("TASK_CLAIM", "bad name", {}, "bad_payload"),
        ("TASK_CLAIM", "t", {"ttl_s": -1}, "bad_payload"),
        ("BLOCKER", "t", {"reason": 3}, "bad_payload"),
    ],
)
def test_what_is_wrong_is_refused_with_its_reason(core, kind, task, payload, reason):
    core.claim("a", "t")
    assert core.say("a", kind, task, **payload)["reason"] == reason


def test_messages_are_kept_in_order_until_confirmed(core):
    for text in ("one", "two", "three"):
        core.say("a", "INFO", target="b", text=text)
    box = core.state.agents["b"].mailbox
    assert len(box) == 3
    assert core.say("b", "ACK", ack_for_event_id=box[1][0])["accepted"]
    assert [entry[0] for entry in core.state.agents["b"].mailbox] == [box[-1][0]]


def test_a_full_mailbox_drops_the_oldest_info_first():
    core = Core(mailbox_limit=2)
    core.up("a", "b")
    core.say("a", "REQUEST_REVIEW", target="b")
    core.say("a", "INFO", target="b", text="1")
    core.say("a", "INFO", target="b", text="2")
    is_info = [entry[1] < 0 for entry in core.state.agents["b"].mailbox]
    assert is_info == [False, True] and core.state.agents["b"].dropped == 1


def test_that_a_mailbox_overflows_is_told_at_the_first_event_and_when_they_are_twice_as_many():
    core = Core(mailbox_limit=2)
    core.up("a", "b")
    told = []
    for _ in range(2 + 9):
        core.say("a", "INFO", target="b")
        if core.state.overflowed:
            told.append(core.state.overflowed.popitem())
    assert told == [("b", 1), ("b", 2), ("b", 4), ("b", 8)]


@pytest.mark.parametrize("target", ["operator", "supervisor", "coordinator"])
def test_a_message_for_who_is_no_agent_is_taken_and_goes_to_no_mailbox(core, target):
    assert core.say("a", "REQUEST_REVIEW", target=target)["accepted"]
    assert not core.state.agents["b"].mailbox
    assert core.say("a", "INFO", target="nobody")["reason"] == "bad_payload"


def test_what_is_sent_to_a_worker_before_it_has_come_up_waits_for_it(core):
    assert core.say("a", "INFO", target="late")["reason"] == "bad_payload"
    for _ in range(2):
        core.run(Declare(("a", "late")))
    assert [r.event.payload["workers"] for r in core.records if "workers" in r.event.payload] == [["late"]]
    assert core.say("a", "INFO", target="late", text="hi")["accepted"]
    core.say("a", "INFO", target="all", text="all")
    core.run(AgentUp("late", 7, 1, True))
    assert len(core.state.agents["late"].mailbox) == 2
    core.check()
    assert canonical(core.replayed()) == canonical(core.state)


def _as_declared(core):
    core.run(Declare(("guest",)))


def _as_come_up(core):
    core.run(AgentUp("guest", 7, 1, True))


@pytest.mark.parametrize("take_the_name", [_as_declared, _as_come_up])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_guest_whose_name_becomes_a_workers_holds_nothing_any_more(core, take_the_name, is_there):
    core.run(AgentUp("guest", 5, 0, False))
    core.claim("guest", "t")
    core.claim("a", "u")
    core.say("guest", "TASK_CLAIM", "u", wait_s=1000)
    if not is_there:
        core.run(Disconnect(1, "guest", tied=False, last=True))
        assert core.state.tasks["t"].owner == "guest"
    take_the_name(core)
    assert core.status("t") == "pending" and core.state.tasks["t"].attempts == 0
    assert core.told("guest", "LEASE_RELEASED")[-1]["reason"] == "its name is a worker's now"
    core.run(AgentUp("guest", 7, 1, True))
    core.say("a", "TASK_RELEASE", "u")
    assert core.status("u") == "pending"
    assert core.say("guest", "HEARTBEAT")["result"] == {"renewed": {}}
    core.claim("guest", "t")
    _as_come_up(core)
    assert core.state.tasks["t"].owner == "guest"


def test_all_reaches_everyone_but_the_source(core):
    core.say("a", "INFO", target="all", text="hi")
    assert len(core.state.agents["b"].mailbox) == 1 and not core.state.agents["a"].mailbox


def test_an_operator_can_cancel_reset_release_and_remove(core):
    core.claim("a", "t")
    core.say("operator", "TASK_RELEASE", "t")
    assert core.status("t") == "pending" and core.told("a")[-1]["instruction"] == "lease_released"
    core.claim("a", "t")
    core.say("operator", "TASK_CANCEL", "t")
    assert core.status("t") == "cancelled"
    core.say("operator", "TASK_RESET", "t")
    assert core.status("t") == "pending"
    core.add("u", depends_on=["t"])
    assert core.say("operator", "OPERATOR_EDIT", "t", remove=True)["reason"] == "forbidden"
    core.say("operator", "OPERATOR_EDIT", "u", remove=True)
    assert "u" not in core.state.tasks


def test_a_restart_gives_guests_their_full_ttl_and_ends_the_leases_of_dead_workers(core):
    core.run(AgentUp("guest", 5, 0, False))
    core.claim("guest", "g", ttl_s=10)
    core.claim("a", "w")
    core.pass_time(9)
    core.run(Boot(True, core.limits))
    assert core.status("w") == "pending" and core.state.tasks["w"].attempts == 0
    core.pass_time(9)
    assert core.status("g") == "in_progress"
    core.pass_time(2)
    assert core.status("g") == "pending"


def test_a_checkpoint_brings_the_whole_state_back(core):
    core.add("x", paths=["a/**"], depends_on=["y"])
    core.claim("a", "t")
    core.say("a", "BLOCKER", "t", reason="r", needs=["x"])
    core.say("a", "INFO", target="b", text="hi")
    rest = rest_of(core.state)
    found = Checkpoint(**msgspec.structs.asdict(rest), tasks=dict(core.state.tasks))
    assert canonical(restore(found)) == canonical(core.state)


def test_a_pattern_of_unreasonable_length_is_refused(core):
    for path in ("", "x" * 1025):
        assert core.add("t", paths=[path])["reason"] == "bad_payload"
    assert core.add("t", paths=["x" * 1024])["accepted"]


def test_what_is_given_back_blocked_waits_for_what_it_needs_or_for_a_person(core):
    core.claim("a", "t")
    core.say("a", "BLOCKER", "t", reason="an answer is missing")
    assert core.say("a", "TASK_RELEASE", "t")["accepted"]
    assert (core.status("t"), core.state.tasks["t"].owner) == ("blocked", None)
    assert core.claim("b", "t")["reason"] == "task_blocked"
    assert core.say("operator", "TASK_RELEASE", "t")["accepted"]
    assert core.claim("b", "t")["accepted"]


def test_a_heartbeat_says_what_is_being_done_and_changes_no_status(core):
    core.claim("a", "t")
    core.say("a", "BLOCKER", "t", reason="an answer is missing")
    core.say("a", "HEARTBEAT", "t", details="reading on")
    task = core.state.tasks["t"]
    assert (task.status, task.details) == ("blocked", "reading on")
    core.say("a", "HEARTBEAT", None, details="all of them")
    assert task.details == "reading on"


def test_a_task_that_an_update_says_is_blocked_is_shown_so(core):
    core.claim("a", "t")
    core.say("a", "TASK_UPDATE", "t", status="blocked", details="the door is locked")
    task = core.state.tasks["t"]
    assert (task.status, task.blocked, task.blocker) == ("blocked", True, None)
    assert [cause["kind"] for cause in why(core.state, "t")["causes"]] == ["leased", "blocked"]
    core.say("a", "TASK_RELEASE", "t")
    (cause,) = why(core.state, "t")["causes"]
    assert cause["kind"] == "blocked"
    assert "the door is locked" in cause["detail"] and "tasks release t" in cause["detail"]
    core.say("operator", "TASK_RELEASE", "t")
    assert (core.status("t"), task.blocked) == ("pending", False)


def test_a_blocker_after_an_update_to_blocked_still_has_the_others_replan(core):
    core.claim("a", "t")
    core.say("a", "TASK_UPDATE", "t", status="blocked", details="no key")
    core.say("a", "BLOCKER", "t", reason="no key")
    assert [told["instruction"] for told in core.told("b")] == ["replan"]


@pytest.mark.parametrize("by_id", [False, True])
def test_more_claims_than_may_wait_end_the_wait_that_is_longest(by_id):
    """Or the oldest would be forgotten, and be told that it holds what nobody knows it holds."""
    core = Core(pending_kept=4)
    core.up("a", "b", "holder")
    core.claim("holder", "t")
    wanted = "t" if by_id else None
    first = [core.event("a", "TASK_CLAIM", wanted, wait_s=60) for _ in range(4)]
    for event in first:
        core.send(event)
    assert [core.answers[e.id]["reason"] for e in first if e.id in core.answers] == [
        "task_already_leased" if by_id else "nothing_ready"
    ]
    core.say("holder", "TASK_RELEASE", "t")
    core.check()
    assert core.state.tasks["t"].lease_token == core.answers[first[1].id]["lease"]["token"]
    assert canonical(core.replayed()) == canonical(core.state)


def test_the_end_of_an_agent_that_never_was_leaves_nothing(core):
    """A launcher that dies takes workers with it that had not come up yet: the state is what the journal says."""
    before = len(core.records)
    core.down("never-up")
    assert "never-up" not in core.state.agents and len(core.records) == before
