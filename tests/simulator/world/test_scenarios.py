"""The named scenarios, run several times."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async.simulator.handlers.platform import Platform
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.codes import FINAL_RUN, UNFINISHED_HOST
from bkjob_async.simulator.world.execution_engine import FILE_POLLS, SCRIPT_POLLS, NextPoll
from bkjob_async.simulator.world.plans import (
    FAILS,
    INVALID_HOST,
    NO_AGENT,
    SUCCEEDS,
    DurationRange,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.scenarios import SCENARIOS, scenario_by_name
from bkjob_async.simulator.world.world import World
from tests.examples import examples
from tests.simulator.http_calls import ask, body, of

SMALL = [name for name in SCENARIOS if name not in {"ten-thousand-hosts", "mixed-fleet"}]


@pytest.mark.parametrize("name", SMALL)
def test_a_story_is_the_same_however_it_is_looked_at(name: str) -> None:
    """In one jump, or second by second."""
    at_once, step_by_step = Simulator(name, seed=5).world, Simulator(name, seed=5).world
    at_once.advance(200.0)
    for second in range(201):
        step_by_step.advance(float(second))

    assert at_once.history() == step_by_step.history()


@pytest.mark.parametrize("dialect", ["gateway-v3", "gateway-v4", "esb-job", "esb-jobv3"])
def test_the_same_seed_gives_the_same_bytes(dialect: str) -> None:
    """At the same times, response by response."""

    def answers() -> list[bytes]:
        simulator = Simulator("chaos", seed=11)
        bodies = []
        for moment in range(0, 120, 7):
            simulator.world.advance(float(moment))
            for ref in simulator.refs[:5]:
                given = {**of(ref, dialect), "return_ip_result": "true"}
                bodies.append(ask(simulator, "get_job_instance_status", given, dialect=dialect).body)
        return bodies

    assert answers() == answers()


def test_ten_thousand_hosts_come_in_one_answer() -> None:
    """And are counted in another."""
    simulator = Simulator("ten-thousand-hosts")
    simulator.world.advance(30.0)
    step = simulator.steps(simulator.refs[0])[0]

    full = body(ask(simulator, "get_step_instance_status", {**of(step), "batch": 0}))["data"]
    counts = {**of(step), "batch": 0, "max_host_num_per_group": 1}
    summary = ask(simulator, "get_step_instance_status", counts)

    assert sum(len(group["host_result_list"]) for group in full["step_result_group_list"]) == 10_000
    assert sum(g["host_size"] for g in body(summary)["data"]["step_result_group_list"]) == 10_000
    assert len(summary.body) < 2000


def test_hours_of_the_mixed_fleet_are_cheap_and_leave_nothing_behind() -> None:
    """A quarter of a day, read every minute, in a quarter of a minute; what is over is forgotten."""
    world = Simulator("mixed-fleet").world
    started, fleet, queue = time.process_time(), [], []
    for minute in range(6 * 60):
        world.advance(minute * 60.0)
        if minute >= 60:
            fleet.append(len(world.jobs))
            queue.append(len(world.lifecycle.queue))

    assert time.process_time() - started < 15.0
    assert max(fleet) < 1.5 * min(fleet)
    assert max(queue) < 1.5 * min(queue)


def test_chaos_comes_over_a_bad_line() -> None:
    """Its faults are at the doors, not in the world."""
    simulator = Simulator("chaos")

    assert {active.fault.name for active in simulator.platform.faults} >= {"reset", "bad-gateway"}


def test_an_unknown_scenario_names_the_known_ones() -> None:
    """The error helps."""
    with pytest.raises(KeyError, match="retry-succeeds"):
        scenario_by_name("nonsense")


@pytest.mark.parametrize(
    ("schedule", "seconds", "seen"),
    [
        (SCRIPT_POLLS, 0.0, 1.0),
        (SCRIPT_POLLS, 9.5, 10.0),
        (SCRIPT_POLLS, 10.1, 12.0),
        (SCRIPT_POLLS, 61.0, 65.0),
        (SCRIPT_POLLS, 325.5, 335.0),
        (FILE_POLLS, 2.5, 4.0),
        (FILE_POLLS, 21.0, 25.0),
        (FILE_POLLS, 1001.0, 1010.0),
    ],
)
def test_the_engine_polls_on_its_own_schedule(schedule: NextPoll, seconds: float, seen: float) -> None:
    """Every second at first, every ten in the end."""
    assert schedule(seconds) == seen


# Random worlds ------------------------------------------------------------------------------------------------------

OUTCOMES = st.sampled_from(
    [
        SUCCEEDS,
        FAILS,
        NO_AGENT,
        INVALID_HOST,
        HostOutcome(duration=DurationRange(0.0, 90.0)),
        HostOutcome(duration=exactly(0.0)),
    ]
)
PLANS = st.builds(
    StepPlan,
    kind=st.sampled_from([1, 2, 4]),
    hosts=st.integers(1, 9),
    outcomes=st.tuples(OUTCOMES, OUTCOMES),
    ignore_error=st.booleans(),
    rolling=st.none()
    | st.builds(Rolling, sizes=st.just((2, 3, 4)), mode=st.sampled_from([1, 2]), parallel=st.booleans()),
)
OPERATIONS = st.lists(st.tuples(st.floats(0.0, 60.0), st.sampled_from([2, 3, 8, 11, 12])), max_size=6)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(PLANS, min_size=1, max_size=3), OPERATIONS, st.integers(0, 99))
def test_whatever_happens_every_story_comes_to_an_end(
    plans: list[StepPlan], operations: list[tuple[float, int]], seed: int
) -> None:
    """Jobs end after their steps, steps after their hosts; times never run backwards."""
    world = World(seed)
    ref = world.add(SimulatedJob(steps=tuple(plans)))
    job = world.jobs[ref.job_instance_id]
    for wait, operation in operations:
        world.advance(world.now + wait)
        parameters = {**of(job.current_step.ref), "operation_code": operation}
        ask(Platform(world), "operate_step_instance", parameters, method="POST")
    world.advance_to_end()

    history = world.history()
    assert job.status in FINAL_RUN
    for moves in (*history.hosts.values(), *history.steps.values(), *history.jobs.values()):
        times = [moment for moment, _ in moves]
        assert times == sorted(times)
    for step in job.steps:
        execution = step.execution
        if step.status in FINAL_RUN and execution is not None:
            # Hosts of batches that never started are waiting.
            started = [row.status for row in execution.rows if not row.is_idle]
            assert not UNFINISHED_HOST & set(started)
            # An execution that was counted but never began has no moves: the step was ignored, then retried at once.
            assert max((move.at for move in execution.moves), default=0.0) <= step.log[-1][0]
