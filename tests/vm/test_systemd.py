"""The unit that we ship, under the real systemd, with limits by cgroup v2: crashes, hangs, kills, and the end."""

import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.project import AT_ONCE, BOUNDLESS, KORTANA, PATIENCE_S, eventually
from tests.vm.machine import CGROUPS, Place, folder_for

LONG_S = 4 * PATIENCE_S
"""Its processors are emulated."""
GREEDY = "kept = []\nwhile True:\n kept.append(bytearray(b'x' * (1 << 20)))"
FORKS = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1000 & done; echo all; wait"


@pytest.fixture(params=["system", "user"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    user = request.param == "user"
    made = Place(folder_for(user), user)
    yield made
    made.clean_up()


def _deaf(place: Place) -> dict[str, Any]:
    """A worker, and its grandchild with a session of its own and an empty environment, which ignores the signals to
    end; three processes in all."""
    grandchild = f"trap '' TERM HUP; while :; do sleep {place.sleep}; done"
    script = f'setsid env -i sh -c "{grandchild}" & echo on; exec sleep {place.sleep}'
    return {"command": ["sh", "-c", script], "stop": {"grace": "1s"}, **AT_ONCE}


def _all_there(place: Place, but: frozenset[int] = frozenset()) -> frozenset[int]:
    """The deaf worker's three, once they run; others than these."""

    def enough() -> frozenset[int] | None:
        found = place.sleepers() - but
        return frozenset(found) if len(found) >= 3 else None

    return eventually(enough, "the worker and its grandchild run", LONG_S)


def _team(place: Place, **more: Any) -> dict[str, Any]:
    return {**BOUNDLESS, "workers": {"deaf": _deaf(place), **more}}


def _checked(place: Place) -> None:
    assert place.call("replay", "--verify").returncode == 0
    assert place.call("fsck").returncode == 0


def test_limits_hold_and_the_end_leaves_nothing(place: Place) -> None:
    place.write(
        _team(
            place,
            eats={"command": ["python3", "-c", GREEDY], "limits": {"memory": "64MiB"}, "restart": "never"},
            forks={"command": ["sh", "-c", FORKS], "limits": {"pids": 6}, "restart": "never"},
            one={"agent": "shell"}, two={"agent": "shell"},
        )
        | {"tasks": [{"id": f"t{n}", "run": "sleep 0.1"} for n in range(6)]}
    )  # fmt: skip
    place.begin_unit()
    folder = place.cgroup()
    crashes = eventually(lambda: place.crashes_of("eats"), "it is killed", LONG_S)
    assert [record["verdict"] for record in crashes] == ["out_of_memory"]
    eventually(lambda: "annot fork" in place.log("forks"), "it may not fork", LONG_S)
    eventually(lambda: place.task_counts() == {"completed": 6}, "tasks are done", LONG_S)
    _all_there(place)
    assert place.left()
    place.systemctl("stop", place.unit)
    assert place.state("Result") == "success"
    assert not folder.exists() and not place.sleepers()
    _checked(place)


def test_the_death_of_the_launcher_takes_its_workers_along_and_they_come_back(place: Place) -> None:
    place.write(_team(place))
    place.begin_unit()
    folder = place.cgroup()
    before = _all_there(place)
    os.kill(place.pids()["launcher"], signal.SIGKILL)
    eventually(lambda: place.running("deaf", 2), "it is back", LONG_S)
    _all_there(place, before)
    assert not before & place.sleepers()
    place.systemctl("stop", place.unit)
    assert place.state("Result") == "success" and not folder.exists()
    _checked(place)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_systemd_starts_it_again_where_the_supervisor_dies_or_hangs(place: Place, how: signal.Signals) -> None:
    place.write(_team(place))
    place.begin_unit(WatchdogSec="20", Restart="always", RestartSec="0")
    folder = place.cgroup()
    before = _all_there(place)
    os.kill(int(place.state("MainPID")), how)
    eventually(lambda: place.state("NRestarts") == "1", "it is started again", LONG_S)
    eventually(lambda: place.state("ActiveState") == "active", "it is up", LONG_S)
    _all_there(place, before)
    assert not before & place.sleepers()
    place.systemctl("stop", place.unit)
    assert place.state("Result") == "success" and not folder.exists()
    _checked(place)


LIMITED = {"agent": "shell", "limits": {"memory": "64MiB"}}
SHOW_LIMIT = 'cat "/sys/fs/cgroup$(sed -n s/^0:://p /proc/self/cgroup)/memory.max" > limit'


def test_in_a_scope_of_its_own_there_are_limits(place: Place) -> None:
    place.write({"workers": {"w": LIMITED}, "tasks": [{"id": "show", "run": SHOW_LIMIT}]})
    place.in_a_scope(KORTANA, "up", "--exit-when-done")
    assert (place.folder / "limit").read_text() == f"{64 << 20}\n"
    assert not place.left()


def test_beside_a_shell_there_are_none_and_the_rest_works(place: Place) -> None:
    """One that stays in the scope, as the shell of a terminal does."""
    place.write(_team(place, limited=LIMITED))
    done = place.in_a_scope(
        "sh", "-c", '"$0" up -d --wait-timeout 30; "$0" ps; "$0" doctor; cat /proc/self/cgroup; "$0" down', KORTANA
    )
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert " running " in rows["deaf"] and "running" not in rows["limited"], done.stdout
    assert "systemd-run --user --scope -p Delegate=yes kortana up" in done.stdout
    assert f"/{place.unit}.scope\n" in done.stdout, "the shell is where it was"
    assert "limits.memory cannot be set here" in (place.folder / "data" / "supervision.jsonl").read_text()
    assert not place.left() and not place.sleepers()
    _checked(place)


@pytest.fixture
def machine() -> Iterator[Place]:
    """The machine's own; where it is does not matter."""
    made = Place(folder_for(False), False)
    yield made
    made.clean_up()


def test_in_the_root_cgroup_it_has_limits_too(machine: Place) -> None:
    machine.write({"workers": {"w": LIMITED}, "tasks": [{"id": "show", "run": SHOW_LIMIT}]})
    machine.run("sh", "-c", f'echo $$ > {CGROUPS}/cgroup.procs; exec "$0" up --exit-when-done', KORTANA)
    assert (machine.folder / "limit").read_text() == f"{64 << 20}\n"
    assert not machine.left()


@pytest.mark.parametrize("mounted", ["its own", "the host's"])
def test_in_namespaces_of_its_own_as_in_a_container(machine: Place, mounted: str) -> None:
    """As PID 1, in a cgroup that looks like the root from within; with its own cgroups mounted, or all of the host's.
    It is ended from without."""
    box = CGROUPS / f"box-{machine.mark}"
    box.mkdir()
    machine.write(_team(machine, limited=LIMITED) if mounted == "its own" else _team(machine))
    mount = "umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; " if mounted == "its own" else ""
    inner = f"exec unshare --cgroup --mount sh -c '{mount}exec {KORTANA} up'"
    within = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
    contained = subprocess.Popen(
        [*within, "sh", "-c", f"echo $$ > {box}/cgroup.procs; {inner}"],
        cwd=machine.folder, env=machine.env,
    )  # fmt: skip
    try:
        _all_there(machine)
        if mounted == "its own":
            eventually(lambda: machine.running("limited"), "it has its limit", LONG_S)
            assert f"{64 << 20}\n" in [path.read_text() for path in box.rglob("memory.max")]
        machine.down()
        assert contained.wait(LONG_S) == 0
        assert not machine.left() and not machine.sleepers()
        _checked(machine)
    finally:
        contained.kill()
        contained.wait()
    box.rmdir()
