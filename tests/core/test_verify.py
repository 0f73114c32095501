"""`replay --verify`: every decision follows from its cause, and no flipped one goes unseen."""

from typing import Any
from zlib import crc32

import msgspec
import pytest

from kortana.core.commands import AgentUp, Boot, Disconnect, Drain
from kortana.core.decide import RULES
from kortana.core.verify import Difference, verify
from kortana.protocol import event as ev
from kortana.protocol.codec import encode_json, event_digest
from kortana.protocol.event import Record
from tests.core.harness import Core


@pytest.fixture
def core() -> Core:
    return _lived(Core(max_attempts=2))


def _lived(core: Core) -> Core:
    """A life with a grant, a denial, a blocker, an expiry, a death, waits served and ended, a boot and a drain."""
    core.up("a", "b")
    core.add("x")
    core.add("y", depends_on=["x"], paths=["src/**"])
    core.claim("a", "x")
    core.claim("b", "x")
    core.send(core.event("b", "TASK_CLAIM", "y", wait_s=600), conn=4)
    core.say("a", "TASK_UPDATE", "x", status="completed")
    core.say("b", "BLOCKER", "y", reason="stuck", needs=["z"])
    core.claim("a", "z")
    core.say("a", "TASK_UPDATE", "z", status="completed")
    core.say("b", "TASK_UPDATE", "y", status="failed", details="no luck")
    core.claim("b", "y", ttl_s=5)
    core.send(core.event("a", "TASK_CLAIM", "y", wait_s=1), conn=5)
    core.pass_time(2)
    core.pass_time(6)
    core.claim("a", "w")
    core.send(core.event("b", "TASK_CLAIM", "w", wait_s=60), conn=6)
    core.run(Disconnect(6, "b", tied=False, last=False))
    core.run(AgentUp("guest", 7, 0, False))
    core.send(core.event("guest", "TASK_CLAIM", "g"), conn=9, tied=True)
    core.run(Disconnect(9, "guest", tied=True, last=True))
    core.down("a")
    core.run(Boot(True, core.limits))
    core.up("b")
    core.claim("b", "w")
    core.run(Drain())
    return core


def test_what_was_decided_is_derived_again(core: Core) -> None:
    report = verify(iter(core.records), core.limits)
    assert report.records == len(core.records) and report.torn == 0
    assert report.grants == 7 and report.denials == 2


def _changed(record: Record, **payload: Any) -> Record:
    event = msgspec.structs.replace(record.event, payload={**record.event.payload, **payload})
    body = encode_json(event)
    return Record(event, record.seq, record.recorded_at, body, event_digest(body))


def _flips(record: Record) -> list[Record]:
    """Each way in which one record could tell another story."""
    payload, found = record.event.payload, []
    if record.event.source != ev.COORDINATOR:
        return []  # a cause: not the coordinator's to decide
    for key, value in payload.items():
        if key in ("detail", "limits", "fresh", "rules", "waits", "leases", "instruction", "agent", "id"):
            continue
        if isinstance(value, bool):
            found.append(_changed(record, **{key: not value}))
        elif isinstance(value, int):
            found.append(_changed(record, **{key: value + 1}))
        elif isinstance(value, str) and key != "crash_id":
            found.append(_changed(record, **{key: value + "x"}))
        elif isinstance(value, dict) and key in ("task", "lease"):
            inner = {k: v for k, v in value.items() if k not in ("status", "token")}
            found.append(_changed(record, **{key: inner}))
    return found


def test_every_flipped_decision_is_found(core: Core) -> None:
    flips = 0
    for index, record in enumerate(core.records):
        for other in _flips(record):
            told = [*core.records[:index], other, *core.records[index + 1 :]]
            with pytest.raises(Difference):
                verify(iter(told), core.limits)
            flips += 1
    assert flips > 60


def test_a_decision_left_out_is_found(core: Core) -> None:
    """Renumbered, so that no gap in seq tells."""
    for index, record in enumerate(core.records):
        if record.event.event_type not in (ev.ACK, ev.LEASE_RELEASED, ev.TASK_QUARANTINED, ev.DIRECTIVE):
            continue
        if record.event.payload.get("instruction") in ("boot", "drain", "disconnected", "asked_again"):
            continue
        rest = [msgspec.structs.replace(r, seq=r.seq - 1) for r in core.records[index + 1 :]]
        if not rest:
            continue
        with pytest.raises(Difference):
            verify(iter([*core.records[:index], *rest]), core.limits)


def test_what_a_crash_tore_off_a_decision_is_made_up_for_at_the_next_boot() -> None:
    """The journal ends after the cause; its consequences were never acknowledged."""
    for cut in (1, 2):
        core = Core(max_attempts=1)
        core.up("a")
        core.claim("a", "t")
        core.down("a")
        tail = [r.event.event_type for r in core.records[-3:]]
        assert tail == [ev.AGENT_DOWN, ev.LEASE_RELEASED, ev.TASK_QUARANTINED]
        torn = Core(max_attempts=1)
        torn.records = core.records[: -3 + cut]
        torn.state = torn.replayed()
        torn.run(Boot(True, torn.limits))
        assert torn.status("t") == ("pending" if cut == 1 else "failed")
        torn.check()
        assert verify(iter(torn.records), torn.limits).torn == 1


def test_what_was_decided_by_other_rules_is_followed_and_not_compared() -> None:
    core = Core(max_attempts=2)
    core.run(Boot(True, core.limits))
    records = _lived(core).records
    first, second = (i for i, record in enumerate(records) if record.event.payload.get("instruction") == "boot")
    granted = next(i for i, record in enumerate(records) if "lease" in record.event.payload)
    task = {**records[granted].event.payload["task"], "priority": 7}
    records[granted] = _changed(records[granted], task=task)
    with pytest.raises(Difference):
        verify(iter(records), core.limits)
    for other in ({"rules": RULES + 1}, {"rules": None}):
        records[first] = _changed(records[first], **other)
        report = verify(iter(records), core.limits)
        assert report.by_other_rules == second and report.decisions > 0 and report.records == len(records)
    last = max(i for i, record in enumerate(records) if "lease" in record.event.payload)
    assert last > second
    records[last] = _changed(records[last], accepted=False)
    with pytest.raises(Difference, match=f"seq {records[last].seq}"):
        verify(iter(records), core.limits)


def test_other_decisions_are_other_rules(core: Core) -> None:
    """Where this fails, the same inputs lead to other records than they did: let RULES in core/decide.py grow by one,
    so that journals of the version before still verify, and put the new pair here."""
    told = crc32(b"\n".join(record.body for record in core.records))
    assert (RULES, f"{told:08x}") == (4, "026b5d86")
