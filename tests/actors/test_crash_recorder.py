"""A record is there before the successor starts, unless its disk is slow: then the restart does not wait."""

import json
import threading
from typing import Any

import pytest

from kortana.actors.crash_recorder import MAX_UNSEALED, CrashRecorder
from kortana.config.spec import WorkerSpec
from kortana.core.verdict import Death
from kortana.ports import ProcessExit
from kortana.processes.crash_record import CrashName, Moment
from kortana.protocol.codec import encode_json

HOW = ProcessExit(3, None, False, 0.1, 0.1, 1000, 0)
MOMENT = Moment(1, 1.0, True, {"state": "backoff"})
SPEC = WorkerSpec(name="w", command=("true",))


class Disk:
    """A store that takes records only while it is not held."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.records: list[dict[str, Any]] = []
        self.written = threading.Semaphore(0)
        self.error: Exception | None = None
        self.durable: list[int] = []
        """How many records there were at each sync."""
        self.may_sync, self.synced = threading.Event(), threading.Semaphore(0)
        self.may_sync.set()

    def write(self, record: dict[str, Any]) -> None:
        assert self.free.wait(30)
        if self.error is not None:
            raise self.error
        self.records.append(record)
        self.written.release()

    def read(self, crash_id: str) -> dict[str, Any] | None:
        return next((record for record in self.records if record["id"] == crash_id), None)

    def sync(self) -> None:
        assert self.may_sync.wait(30)
        error = self.error
        self.durable.append(len(self.records))
        self.synced.release()
        if error is not None:
            raise error


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def recorder(disk: Disk, told: list[dict[str, Any]]) -> CrashRecorder:
    return CrashRecorder(disk, lambda *_: [], lambda _: [], lambda event, **fields: told.append({"event": event}))


def seal(recorder: CrashRecorder, incarnation: int = 1) -> str:
    draft = recorder.begin("w", incarnation)
    return recorder.seal(draft, SPEC, {"KEY_TOKEN": "abcdefgh"}, HOW, Death(3, None), MOMENT).summary


def test_a_record_is_sealed_when_seal_returns(disk: Disk, recorder: CrashRecorder, told: list[dict[str, Any]]) -> None:
    disk.free.set()
    assert "3" in seal(recorder)
    assert [record["incarnation"] for record in disk.records] == [1] and told == []


def test_a_declaration_that_is_no_utf8_keeps_no_record_from_being_written(disk: Disk, recorder: CrashRecorder) -> None:
    disk.free.set()
    spec = WorkerSpec(name="w", command=("true",), env={"ODD": "\udcff"})
    recorder.seal(recorder.begin("w", 1), spec, {}, HOW, Death(3, None), MOMENT)
    assert len(disk.records) == 1


@pytest.mark.timeout(60)
def test_a_disk_that_hangs_holds_no_restart_up_and_the_records_come_later(
    disk: Disk, recorder: CrashRecorder, told: list[dict[str, Any]]
) -> None:
    for incarnation in (1, 2):
        assert "3" in seal(recorder, incarnation)
    assert [event["event"] for event in told] == ["crash_record_late"] * 2 and disk.records == []
    disk.free.set()
    for _ in range(2):
        assert disk.written.acquire(timeout=30)
    assert [record["incarnation"] for record in disk.records] == [1, 2]


@pytest.mark.timeout(60)
def test_what_waits_for_a_disk_is_bounded(
    disk: Disk, recorder: CrashRecorder, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kortana.actors.crash_recorder.SEAL_S", 0.0)
    for incarnation in range(MAX_UNSEALED + 2):
        seal(recorder, incarnation)
    assert [event["event"] for event in told[MAX_UNSEALED:]] == ["crash_record_lost"] * 2
    disk.free.set()
    for _ in range(MAX_UNSEALED):
        assert disk.written.acquire(timeout=30)


@pytest.mark.parametrize("error", [OSError("no room"), KeyError("a bug")])
def test_a_record_that_cannot_be_written_is_told_and_the_next_one_can(
    disk: Disk, recorder: CrashRecorder, told: list[dict[str, Any]], error: Exception
) -> None:
    disk.free.set()
    disk.error = error
    assert "3" in seal(recorder)
    assert [event["event"] for event in told] == ["crash_record_lost"]
    disk.error = None
    seal(recorder, 2)
    assert [record["incarnation"] for record in disk.records] == [2]


@pytest.mark.timeout(60)
def test_records_are_synced_behind_and_those_that_wait_for_it_together(disk: Disk, recorder: CrashRecorder) -> None:
    disk.free.set()
    disk.may_sync.clear()
    for incarnation in (1, 2, 3):
        seal(recorder, incarnation)
    assert len(disk.records) == 3 and disk.durable == []
    disk.may_sync.set()
    while disk.durable[-1:] != [3]:
        assert disk.synced.acquire(timeout=30)
    assert len(disk.durable) <= 2


@pytest.mark.timeout(60)
def test_a_sync_that_fails_is_told_and_the_next_one_is_tried(
    disk: Disk, recorder: CrashRecorder, told: list[dict[str, Any]]
) -> None:
    disk.free.set()
    disk.may_sync.clear()
    seal(recorder)
    disk.error = OSError("no disk")
    disk.may_sync.set()
    assert disk.synced.acquire(timeout=30)
    disk.error = None
    seal(recorder, 2)
    assert disk.synced.acquire(timeout=30)
    assert [event["event"] for event in told] == ["crash_record_unsynced"]


def test_a_record_has_the_name_that_the_launcher_gave_it(disk: Disk, recorder: CrashRecorder) -> None:
    disk.free.set()
    name = CrashName.of("w", 1)
    draft = recorder.begin("w", 1, name)
    recorder.seal(draft, SPEC, {}, HOW, Death(3, None), MOMENT)
    [record] = disk.records
    assert (draft.id, record["id"], record["at"]) == (name.id, name.id, name.at)


def test_names_that_are_no_utf8_keep_no_record_from_being_json(recorder: CrashRecorder, disk: Disk) -> None:
    disk.free.set()
    recorder.seal(recorder.begin("w", 1), SPEC, {"ODD\udcff": "x"}, HOW, Death(3, None), MOMENT)
    assert json.loads(encode_json(disk.records[0]))["environment_names"] == ["ODD\\udcff"]
