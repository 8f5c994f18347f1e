"""The state machine of jobs, steps and hosts."""

from __future__ import annotations

import pytest
from attrs import evolve

from bkjob_async.model.refs import StepRef
from bkjob_async.simulator.simulator import Simulator
from bkjob_async.simulator.world.history import Moves
from bkjob_async.simulator.world.plans import (
    FAILS,
    HANGS,
    IGNORES_STOP,
    INVALID_HOST,
    NO_AGENT,
    SUCCEEDS,
    HostOutcome,
    Rolling,
    SimulatedJob,
    StepPlan,
    exactly,
)
from bkjob_async.simulator.world.records import Step
from bkjob_async.simulator.world.world import World

QUICK = HostOutcome(duration=exactly(2.0))
CONFIRM = StepPlan(kind=3, hosts=0)


def codes(moves: Moves) -> list[int]:
    """Return the codes without their times."""
    return [code for _, code in moves]


def codes_by_step(simulator: Simulator) -> tuple[list[list[int]], list[int]]:
    """Return the codes of the steps and of the one job."""
    history = simulator.history()
    return [codes(moves) for moves in history.steps.values()], codes(*history.jobs.values())


def lived(*steps: StepPlan) -> tuple[Simulator, list[StepRef]]:
    """Run a job of these steps until no event is left; return its steps."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob(steps=steps))
    simulator.world.advance_to_end()
    return simulator, list(simulator.steps(ref))


def until_batch(number: int, *steps: StepPlan) -> tuple[Simulator, Step]:
    """Run a job until its first step has so many batches running."""
    simulator = Simulator()
    step = simulator.step(simulator.steps(simulator.add(SimulatedJob(steps=steps)))[0])
    while not (step.batch == number and step.status == 2):
        moment = simulator.world.next_at
        assert moment is not None
        simulator.world.advance(moment)
    return simulator, step


def operate(simulator: Simulator, step: StepRef, operation: int) -> None:
    """Operate a step, and run all events."""
    simulator.world.operate_step(simulator.step(step), operation)
    simulator.world.advance_to_end()


def test_hosts_end_before_their_step_and_the_step_before_its_job() -> None:
    """The last host, the step and the job end one after another, with lags."""
    simulator, _ = lived(StepPlan(hosts=4))
    history = simulator.history()

    last_host = max(moves[-1][0] for moves in history.hosts.values())
    (step,), (job,) = history.steps.values(), history.jobs.values()
    assert last_host < step[-1][0] < job[-1][0]


def test_hosts_wait_run_and_end() -> None:
    """A host goes 5, 7, 9."""
    simulator, _ = lived(StepPlan(hosts=2, outcomes=(QUICK,)))

    assert {tuple(codes(moves)) for moves in simulator.history().hosts.values()} == {(5, 7, 9)}


def test_hosts_that_cannot_run_end_at_once_and_fail_the_step() -> None:
    """Codes 2 and 18 come with the step's start, at once, and fail it."""
    simulator, (step,) = lived(StepPlan(hosts=3, pinned={0: INVALID_HOST, 1: NO_AGENT}))

    execution = simulator.step(step).execution
    assert execution is not None
    began = simulator.step(step).started
    assert [(row.start, row.end) for row in execution.rows[:2]] == [(began, began)] * 2
    assert codes_by_step(simulator)[0] == [[1, 2, 4]]


def test_a_failed_step_ends_the_job_and_the_next_one_never_starts() -> None:
    """4 ends the job as 4."""
    simulator, _ = lived(StepPlan(pinned={0: FAILS}), StepPlan())

    assert codes_by_step(simulator) == ([[1, 2, 4], [1]], [1, 2, 4])


def test_an_ignored_error_lets_the_job_succeed() -> None:
    """6 on the step, 3 on the job."""
    simulator, _ = lived(StepPlan(pinned={0: FAILS}, ignore_error=True), StepPlan())

    assert codes_by_step(simulator) == ([[1, 2, 6], [1, 2, 3]], [1, 2, 3])


def test_a_retry_of_failed_hosts_carries_the_others_along() -> None:
    """Only failed hosts run again; the others are 9 from the start of the new execution."""
    simulator, (step,) = lived(StepPlan(hosts=3, pinned={1: FAILS}, retry_outcomes=(QUICK,)))

    operate(simulator, step, 2)

    again = {label: codes(moves) for (_, run, label), moves in simulator.history().hosts.items() if run == 1}
    assert again == {"0:10.0.0.1": [9], "0:10.0.0.2": [5, 7, 9], "0:10.0.0.3": [9]}
    assert codes_by_step(simulator) == ([[1, 2, 4, 2, 3]], [1, 2, 4, 2, 3])


def test_a_retry_of_all_hosts_runs_them_all() -> None:
    """Everything starts over."""
    simulator, (step,) = lived(StepPlan(hosts=3, pinned={1: FAILS}, retry_outcomes=(QUICK,)))

    operate(simulator, step, 8)

    runs = [codes(moves) for (_, run, _), moves in simulator.history().hosts.items() if run == 1]
    assert runs == [[5, 7, 9]] * 3


def test_right_after_a_retry_the_job_runs_and_the_step_still_looks_failed() -> None:
    """The count goes up at once, the step only once the event is handled, and has no rows until then."""
    simulator, (ref,) = lived(StepPlan(pinned={0: FAILS}))
    step = simulator.step(ref)

    simulator.world.operate_step(step, 2)

    assert (step.status, step.execute_count, step.job.status, step.execution) == (4, 1, 2, None)


def test_two_quick_retries_count_twice_and_run_once() -> None:
    """Nothing makes a retry idempotent."""
    simulator, (ref,) = lived(StepPlan(pinned={0: FAILS}))
    step = simulator.step(ref)

    simulator.world.operate_step(step, 2)
    operate(simulator, ref, 2)

    assert (step.execute_count, list(step.executions), step.status) == (2, [0, 2], 3)


def test_a_user_is_asked_and_says_yes() -> None:
    """Step and job wait in 7, then continue."""
    simulator, (_, confirm, _) = lived(StepPlan(), CONFIRM, StepPlan())
    assert simulator.step(confirm).job.status == 7

    operate(simulator, confirm, 6)

    assert codes_by_step(simulator) == ([[1, 2, 3], [1, 7, 3], [1, 2, 3]], [1, 2, 7, 2, 3])


def test_a_user_says_no_and_is_asked_again() -> None:
    """13 on both without a callback; after operation 9 both wait again."""
    simulator, (confirm,) = lived(CONFIRM)

    operate(simulator, confirm, 9)
    operate(simulator, confirm, 10)

    assert codes_by_step(simulator) == ([[1, 7, 13, 7]], [1, 2, 7, 13, 7])
    assert simulator.world.callbacks == []


def test_a_terminated_job_stops_its_step_and_hosts() -> None:
    """10, then hosts 403, then 11 on the step and the job."""
    simulator, (ref, _) = lived(StepPlan(pinned={0: HANGS}), StepPlan())
    simulator.world.operate_job(simulator.job(ref), 1)
    assert simulator.job(ref).status == 10

    simulator.world.advance_to_end()

    assert codes_by_step(simulator) == ([[1, 2, 10, 11], [1]], [1, 2, 10, 11])
    assert 403 in {moves[-1][1] for moves in simulator.history().hosts.values()}


def test_after_a_termination_the_next_step_can_be_entered() -> None:
    """11 turns the stopped step into 5, and the job goes on."""
    simulator, (ref, _) = lived(StepPlan(pinned={0: HANGS}), StepPlan())
    simulator.world.operate_job(simulator.job(ref), 1)
    simulator.world.advance_to_end()

    operate(simulator, ref, 11)

    assert codes_by_step(simulator) == ([[1, 2, 10, 11, 5], [1, 2, 3]], [1, 2, 10, 11, 2, 3])


def test_a_skipped_step_is_over_before_its_rows_are() -> None:
    """Open rows become 500 after the step is 5."""
    simulator, (ref, _) = lived(StepPlan(hosts=2, pinned={0: IGNORES_STOP}), StepPlan())
    simulator.world.operate_job(simulator.job(ref), 1)
    simulator.world.advance_to_end()
    assert simulator.step(ref).status == 10

    operate(simulator, ref, 12)

    history = simulator.history()
    skipped = history.steps[ref][-1]
    deaf = history.hosts[ref, 0, "0:10.0.0.1"][-1]
    assert skipped[1] == 5
    assert deaf[1] == 500
    assert deaf[0] > skipped[0]
    assert simulator.job(ref).status == 3


def test_terminating_while_a_user_is_asked_gets_stuck_until_the_user_says_no() -> None:
    """Confirm steps do not handle a stop."""
    simulator, (confirm,) = lived(CONFIRM)
    simulator.world.operate_job(simulator.job(confirm), 1)
    simulator.world.advance_to_end()
    assert simulator.job(confirm).status == 10

    operate(simulator, confirm, 9)

    assert codes_by_step(simulator)[1] == [1, 2, 7, 10, 13]


def test_an_engine_that_breaks_down_leaves_rows_open_for_ever() -> None:
    """9 on step and job, 7 on the hosts."""
    simulator, _ = lived(StepPlan(hosts=2, outcomes=(HANGS,), abnormal_after=5.0))

    assert codes_by_step(simulator) == ([[1, 2, 9]], [1, 2, 9])
    assert [moves[-1][1] for moves in simulator.history().hosts.values()] == [7, 7]


def test_ignoring_an_abnormal_step_leaves_the_job_running_for_ever() -> None:
    """The API accepts operation 3 on 9, the engine does nothing about it."""
    simulator, (step,) = lived(StepPlan(hosts=2, outcomes=(HANGS,), abnormal_after=5.0))

    operate(simulator, step, 3)

    assert (simulator.step(step).status, simulator.job(step).status) == (9, 2)


@pytest.mark.parametrize(
    ("mode", "pinned", "step", "job"),
    [
        (1, {}, [1, 15, 2, 15, 2, 3], [1, 2, 3]),
        (1, {0: FAILS}, [1, 15, 2, 4], [1, 2, 4]),
        (2, {0: FAILS}, [1, 15, 2, 6, 15, 2, 3], [1, 2, 3]),
        (3, {}, [1, 15, 2, 15, 7], [1, 2, 7]),
    ],
)
def test_rolling_steps_wait_before_each_batch(
    mode: int, pinned: dict[int, HostOutcome], step: list[int], job: list[int]
) -> None:
    """15 comes before each batch; a failed one pauses, is ignored, or a user is asked."""
    simulator, _ = lived(StepPlan(hosts=4, pinned=pinned, rolling=Rolling(sizes=(1, 3), mode=mode)))

    assert codes_by_step(simulator) == ([step], job)


def test_a_rolling_step_shows_a_past_end_while_it_runs() -> None:
    """The end of a batch is recorded and not cleared for the next."""
    _, step = until_batch(2, StepPlan(hosts=2, outcomes=(QUICK,), rolling=Rolling(sizes=(1, 1))))

    assert step.ended is not None


def test_a_manual_rolling_continues_when_a_user_confirms() -> None:
    """Operation 13 starts the next batch."""
    simulator, (step,) = lived(StepPlan(hosts=2, rolling=Rolling(sizes=(1, 1), mode=3)))

    operate(simulator, step, 13)

    assert codes_by_step(simulator) == ([[1, 15, 2, 15, 7, 15, 2, 3]], [1, 2, 7, 2, 3])


@pytest.mark.parametrize(("kind", "rows"), [(1, 3), (2, 9)])
def test_the_first_batch_has_the_rows_of_all_batches(kind: int, rows: int) -> None:
    """Those of later batches wait; in batches of source files each host has a row in every one."""
    rolling = Rolling(sizes=(1, 1, 1), kind=kind)

    _, step = until_batch(1, StepPlan(kind=2, hosts=3, outcomes=(QUICK,), rolling=rolling))

    assert [row.status for row in step.rows] == [5] * rows


def test_rolling_over_source_files_reaches_every_host_once_per_batch() -> None:
    """The true history has such a host once; it waits between two batches."""
    simulator, (step,) = lived(
        StepPlan(kind=2, hosts=2, outcomes=(QUICK,), rolling=Rolling(sizes=(1, 1), kind=2))
    )

    execution = simulator.step(step).execution
    assert execution is not None
    assert len(execution.rows) == 4
    assert codes(simulator.history().hosts[step, 0, "0:10.0.0.1"]) == [5, 7, 5, 7, 9]


def test_a_host_that_failed_in_one_batch_stays_failed_in_the_next() -> None:
    """The true history has its failure when it happens."""
    rolling = Rolling(sizes=(2, 2), kind=2, mode=2)
    simulator, step = until_batch(1, StepPlan(kind=2, hosts=2, outcomes=(HANGS,), rolling=rolling))

    for host in ("0:10.0.0.1", "0:10.0.0.2"):
        simulator.world.end_host(step, host, FAILS if host.endswith("1") else SUCCEEDS)
    simulator.world.advance(simulator.world.now + 60)

    assert (step.batch, step.status) == (2, 2)
    assert codes(simulator.history().hosts[step.ref, 0, "0:10.0.0.1"]) == [5, 104]
    assert codes(simulator.history().hosts[step.ref, 0, "0:10.0.0.2"]) == [5, 7]


@pytest.mark.parametrize("parallel", [False, True])
def test_hosts_of_batches_that_never_start_wait_for_ever(*, parallel: bool) -> None:
    """A job that is terminated in its first batch ends no others."""
    rolling = Rolling(sizes=(1, 2), parallel=parallel, stagger=500.0)
    simulator, step = until_batch(1, StepPlan(hosts=3, outcomes=(HANGS,), rolling=rolling))

    simulator.world.operate_job(step.job, 1)
    simulator.world.advance_to_end()

    assert (step.status, [row.status for row in step.rows]) == (11, [403, 5, 5])


def test_a_retry_copies_the_waiting_rows_of_later_batches() -> None:
    """Only the hosts of the batch that failed run again; the others follow."""
    simulator, (step,) = lived(
        StepPlan(hosts=3, outcomes=(QUICK,), pinned={0: FAILS}, rolling=Rolling(sizes=(2, 1)))
    )
    failed = simulator.step(step).execution
    assert failed is not None
    assert [row.status for row in failed.rows] == [104, 9, 5]

    simulator.world.operate_step(simulator.step(step), 2)
    simulator.world.advance(simulator.world.now + 1.0)

    again = simulator.step(step).execution
    assert again is not None
    assert [row.status for row in again.rows] == [5, 9, 5]
    simulator.world.advance_to_end()
    assert [row.status for row in again.rows] == [9, 9, 9]


def test_a_host_of_a_batch_that_has_not_started_cannot_be_ended() -> None:
    """It has no task yet."""
    simulator, step = until_batch(1, StepPlan(hosts=2, outcomes=(HANGS,), rolling=Rolling(sizes=(1, 1))))

    with pytest.raises(KeyError):
        simulator.world.end_host(step, "0:10.0.0.2")


def test_a_job_that_is_not_to_start_waits_to_be_started() -> None:
    """1 for ever, until operation 2."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob(start_task=False))
    simulator.world.advance(1000.0)
    assert simulator.job(ref).status == 1

    simulator.world.operate_job(simulator.job(ref), 2)
    simulator.world.advance_to_end()

    assert simulator.job(ref).status == 3


def test_an_archived_job_is_gone() -> None:
    """Some time after its end it is not found any more."""
    world = World()
    ref = world.add(SimulatedJob(archived_after=60.0))

    world.advance_to_end()

    assert world.job(ref.job_instance_id) is None


def test_the_same_seed_gives_the_same_history() -> None:
    """Random choices depend on the seed alone, whatever else is in the world and whenever it is read."""

    def story(seed: int, pause: float, others: int) -> dict[str, Moves]:
        simulator = Simulator(seed=seed)
        outcomes = (SUCCEEDS, evolve(FAILS, weight=0.5))
        ref = simulator.add(SimulatedJob(steps=(StepPlan(hosts=30, outcomes=outcomes),)))
        for _ in range(others):
            simulator.add(SimulatedJob())
        moment = 0.0
        while moment < 60:
            simulator.world.advance(moment)
            moment += pause
        return {label: moves for (_, _, label), moves in simulator.history([ref]).hosts.items()}

    assert story(1, 0.7, 0) == story(1, 13.0, 5)
    assert story(1, 0.7, 0) != story(2, 0.7, 0)


def test_a_host_can_be_ended_by_hand() -> None:
    """Fail one, finish another, and the step ends with them."""
    simulator = Simulator()
    ref = simulator.add(SimulatedJob(steps=(StepPlan(hosts=2, outcomes=(HANGS,)),)))
    simulator.world.advance(10.0)
    step = simulator.step(simulator.steps(ref)[0])

    simulator.world.end_host(step, "0:10.0.0.1")
    simulator.world.end_host(step, "0:10.0.0.2", FAILS)
    simulator.world.advance_to_end()

    assert [moves[-1][1] for moves in simulator.history().hosts.values()] == [9, 104]
    assert step.status == 4
