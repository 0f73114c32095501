"""Restart type x exit x budget against a small reference model, on a fake clock, driven by hypothesis."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kortana.actors.messages import StartWorker, StopWorker
from kortana.actors.supervisor import SupervisorActor  # noqa: F401  the module graph loads once, not in a deadline
from kortana.config.spec import BackoffSpec
from tests.actors.fakes import Stage

EXITS = {"normal": (0, None), "shutdown": (None, "SIGTERM"), "crash": (1, None), "killed": (None, "SIGKILL")}
PERIOD = 10.0


class Model:
    """What supervisor(3) says, and the contract of `start` and `stop`, in twenty lines."""

    def __init__(self, restart: str, intensity: int) -> None:
        self.restart, self.intensity = restart, intensity
        self.state, self.times, self.starts = "running", [], 1

    def exit(self, how: str, now: float) -> None:
        if self.state != "running":
            return
        normal = how == "normal"
        if self.restart == "temporary" or (self.restart == "transient" and normal):
            self.state = "exited" if normal else "failed"
            return
        self.times = [at for at in self.times if now - at <= PERIOD] + [now]
        if len(self.times) > self.intensity:
            self.state = "failed"
        else:
            self.starts += 1

    def stop(self) -> None:
        self.state = "stopped"

    def start(self) -> None:
        if self.state != "running":
            self.state, self.times = "running", []
            self.starts += 1
        else:
            self.times = []


step = st.one_of(
    st.tuples(st.just("exit"), st.sampled_from(sorted(EXITS))),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 2.5, PERIOD, PERIOD + 0.001])),
    st.tuples(st.sampled_from(["stop", "start"]), st.just("")),
)


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@given(intensity=st.integers(0, 4), steps=st.lists(step, max_size=14))
@settings(max_examples=60)
def test_a_worker_does_what_otp_says(restart: str, intensity: int, steps: list[tuple[str, object]]) -> None:
    stage = Stage(
        restart=restart, intensity=intensity, period=PERIOD,
        backoff=BackoffSpec(initial=0.0, factor=1.0, max=0.0, jitter=0.0, reset_after=0.0),
    )  # fmt: skip
    model = Model(restart, intensity)
    try:
        stage.say(StartWorker("boot"))
        stage.started()
        for what, value in steps:
            if what == "exit" and stage.view.state == "running":
                model.exit(str(value), stage.clock.now)
                stage.died(*EXITS[str(value)])
            elif what == "wait":
                stage.clock.now += value  # type: ignore[operator]
            elif what == "stop":
                running = stage.view.state == "running"
                stage.say(StopWorker("user"))
                if running:
                    stage.died(0)
                model.stop()
            elif what == "start":
                model.start()
                stage.say(StartWorker("user"))
                stage.settle()
            if stage.view.state == "starting":
                stage.started()
            assert (stage.view.state, len(stage.starts())) == (model.state, model.starts), steps
        kinds = [record["verdict"] for record in stage.crashes.records]
        assert len({record["id"] for record in stage.crashes.records}) == len(kinds)
    finally:
        stage.ref.stop()
