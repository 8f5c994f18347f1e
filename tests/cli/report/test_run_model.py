"""The model of a run counts what the watch counts, and knows what nobody observed."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bkjob_async as bkjob
from bkjob_async.engine.journaling.records import encode_record
from bkjob_async.model.status import Phase
from bkjob_async.report.figures import by_phase
from bkjob_async.report.reading.read_checkpoint import apply_events
from bkjob_async.report.reading.read_lines import LineReader
from bkjob_async.report.reading.read_records import apply_record
from bkjob_async.report.reading.run_model import RunModel
from bkjob_async.simulator.world.plans import SimulatedJob
from bkjob_async.simulator.world.world import World
from tests.cli.report.reports import (
    BEGAN,
    FAILED,
    JOB,
    PENDING,
    RUNNING,
    STEP,
    SUCCESS,
    figures,
    finished_run,
    host,
)
from tests.watch.gauge import has_read_all
from tests.watch.inside import limit_log
from tests.watch.test_event_cursors import a_few, in_virtual_time, operate, operations, plans


async def read(run: RunModel, watch: bkjob.Watch, until: float, cursor: str = "") -> str:
    """Apply what is reported until a time, comparing with the watch whenever all was read; return where it was left."""
    reader, loop = watch.batches(after=cursor or None), asyncio.get_running_loop()
    try:
        while True:
            async with asyncio.timeout_at(until):
                batch = await anext(reader)
            run.set_time(BEGAN + loop.time())
            apply_events(run, batch.events)
            cursor = batch.cursor
            if has_read_all(reader, watch):
                assert by_phase(run.counts) == watch.counts()
    except (TimeoutError, StopAsyncIteration, bkjob.DeadlineExceeded):
        return cursor


@a_few
@given(plans, operations, st.sampled_from([12, 100_000]), st.floats(0.1, 100.0))
def test_counts_are_those_of_the_watch(
    plans: tuple[SimulatedJob, ...], operations: list[tuple[float, int, int]], log_limit: int, pause: float
) -> None:
    """Through retries, rolling, ignored errors, late readers; each step's own counts add up to them."""

    async def act(client: bkjob.JobClient, world: World, refs: list[bkjob.JobRef]) -> None:
        watch = client.watch(refs, deadline=150.0, linger=None)
        limit_log(watch, log_limit)
        run, loop = RunModel(), asyncio.get_running_loop()
        async with watch:
            acting = asyncio.create_task(operate(client, world, refs, operations))
            cursor = await read(run, watch, loop.time() + 10.0)
            await asyncio.sleep(pause)
            cursor = await read(run, watch, loop.time() + 60.0, cursor)
            await acting  # the last operations may be later than that
            await read(run, watch, loop.time() + 0.1, cursor)
        for row in run.steps.values():
            ref = bkjob.StepRef.parse(row.key)
            assert by_phase(row.counts) == watch.counts(ref)
            assert sum(row.counts) == len(row.hosts)
        assert [sum(each) for each in zip(*(row.counts for row in run.steps.values()), strict=True)] == (
            run.counts if run.steps else []
        )

    in_virtual_time(plans, act)


def test_durations_are_those_that_were_observed() -> None:
    """From when a host was first seen running until it was seen to have ended."""
    run = finished_run([SUCCESS, FAILED, SUCCESS])

    assert [*run.durations] == [10.0, 20.0, 30.0]
    assert run.unmeasured == 0


def test_what_nobody_observed_is_no_duration() -> None:
    """Neither of a host that was never seen running, nor of one that ended while nobody watched."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 1, PENDING)
    host(run, 2, RUNNING)
    run.set_time(BEGAN + 10)
    host(run, 1, SUCCESS, before=PENDING)
    run.set_time(BEGAN + 500)
    run.resumed(480.0)
    host(run, 2, SUCCESS, before=RUNNING)
    run.in_sync()

    assert [*run.durations] == []
    assert run.unmeasured == 2
    assert run.gaps == [(BEGAN + 20, BEGAN + 500)]


def test_the_times_of_a_host_are_better_than_what_was_observed() -> None:
    """Also of a host that was over when it was first seen, or that ended while nobody watched."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 1, RUNNING, ran=(-3, None))
    host(run, 2, SUCCESS, ran=(-60, -20))
    host(run, 3, RUNNING)
    run.set_time(BEGAN + 10)
    host(run, 1, SUCCESS, before=RUNNING, ran=(-3, 9.5))
    run.resumed(5.0)
    host(run, 3, FAILED, before=RUNNING, ran=(-1, 6))

    assert [*run.durations] == [40.0, 12.5, 7.0]
    assert [row.took for row in run.steps[STEP].hosts.values()] == [12.5, 40.0, 7.0]
    assert run.unmeasured == 0


def test_times_of_hosts_are_read_from_lines_and_records_and_states() -> None:
    """With the same result."""
    start, step = datetime(2026, 1, 2, tzinfo=UTC), bkjob.StepRef.parse(STEP)
    events = tuple(
        bkjob.HostChanged(
            ref=step,
            host=bkjob.HostKey(bk_host_id=number),
            execute_count=0,
            before=None,
            after=bkjob.HostStatus(SUCCESS),
            start_time=start,
            end_time=start + timedelta(milliseconds=1500 * number),
        )
        for number in (1, 2)
    )
    of_lines, of_records, of_states = runs = RunModel(), RunModel(), RunModel()
    for run in runs:
        run.set_time(BEGAN)

    LineReader(of_lines).read(json.dumps(bkjob.event_to_json(event)).encode() for event in events)
    record = encode_record(1, time=BEGAN, term=1, client="0a1b2c3d", batch=bkjob.Batch(1, events))
    apply_record(of_records, record)
    apply_events(of_states, events)

    assert [[*run.durations] for run in runs] == [[1.5, 3.0]] * 3


@pytest.mark.parametrize("ran", [(None, 9), (2, None), (9, 2), (-1.5e9, 9), (0, 1e12)])
def test_times_that_no_run_can_have_are_none(ran: tuple[float | None, float | None]) -> None:
    """One of them is missing, or a host cannot run for so long; then what was observed counts."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 1, RUNNING)
    host(run, 2, SUCCESS, ran=ran)
    run.set_time(BEGAN + 10)
    host(run, 1, SUCCESS, before=RUNNING, ran=ran)

    assert [*run.durations] == [10.0]
    assert run.unmeasured == 1


def test_a_host_that_does_not_run_again_is_measured_once() -> None:
    """The platform shows it in a retry with the times of its last run."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 1, SUCCESS, ran=(-9, -1))
    host(run, 2, FAILED, ran=(-9, -4))
    run.set_time(BEGAN + 100)
    for execute_count in (1, 2):
        run.step_changed(STEP, execute_count, 2, is_finished=False, name="rollout")
        host(run, 1, SUCCESS, execute_count=execute_count, ran=(-9, -1))
        host(run, 2, FAILED, execute_count=execute_count, ran=(40, 40 + execute_count))

    assert [*run.durations] == [8.0, 5.0, 1.0, 2.0]
    assert [row.took for row in run.steps[STEP].hosts.values()] == [8.0, 2.0]
    assert run.unmeasured == 0


def test_an_outage_is_time_that_nobody_observed() -> None:
    """From the trouble with all targets until polling works again; trouble with the journal is none."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 1, RUNNING)
    for error, begin in (("TransportFailed", 10), ("JournalUnavailable", 50)):
        run.set_time(BEGAN + begin)
        run.trouble(None, error, "")
        run.set_time(BEGAN + begin + 20)
        run.recovered(None)

    assert run.gaps == [(BEGAN + 10, BEGAN + 30)]
    assert run.outage_count == 2


def test_an_outage_that_lasts_reaches_to_the_end() -> None:
    """The last known counts are hatched from its begin."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 1, RUNNING)
    run.set_time(BEGAN + 10)
    run.trouble(None, "TransportFailed", "")
    run.set_time(BEGAN + 100)
    run.trouble(JOB, "NotFound", "")
    course = figures(run).course

    assert course is not None
    assert course.gaps == ((10.0, 100.0),)


def test_a_retry_replaces_the_hosts_and_keeps_the_durations() -> None:
    """Each host counts once, each run of a host is a duration; who succeeded before did not run again."""
    run = finished_run([SUCCESS, FAILED])
    run.set_time(BEGAN + 100)
    run.step_changed(STEP, 1, 2, is_finished=False, name="rollout")
    host(run, 1, 3, execute_count=1)
    host(run, 2, RUNNING, execute_count=1)
    run.set_time(BEGAN + 107)
    host(run, 2, SUCCESS, before=RUNNING, execute_count=1)

    assert by_phase(run.counts) == {Phase.SUCCESS: 2}
    assert [*run.durations] == [10.0, 20.0, 7.0]
    assert run.unmeasured == 0


def test_an_execution_that_is_earlier_replaces_the_hosts_too() -> None:
    """A platform that was restored from a backup shows it; a reader that fell behind is given the newest alone."""
    run = finished_run([SUCCESS, FAILED])
    run.set_time(BEGAN + 100)
    run.step_changed(STEP, 2, 2, is_finished=False, name="rollout")
    host(run, 2, RUNNING, execute_count=2)
    run.step_changed(STEP, 1, 4, is_finished=True, name="rollout")
    host(run, 1, SUCCESS, execute_count=1)
    host(run, 2, FAILED, execute_count=1)
    host(run, 3, FAILED, execute_count=1)

    assert by_phase(run.counts) == {Phase.SUCCESS: 1, Phase.FAILED: 2}
    assert (run.steps[STEP].execute_count, run.steps[STEP].code) == (1, 4)


def test_a_host_that_gets_a_better_name_counts_once() -> None:
    """Named by its id alone first, by its address later, or the other way round."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 0, RUNNING, label="#7", host_id=7)
    host(run, 0, RUNNING, label="0:10.0.0.8", host_id=8)
    host(run, 0, SUCCESS, before=RUNNING, label="0:10.0.0.7", host_id=7)
    host(run, 0, FAILED, before=RUNNING, label="#8", host_id=8)
    host(run, 0, FAILED, before=RUNNING, label="#9", host_id=9)

    assert by_phase(run.counts) == {Phase.FAILED: 2, Phase.SUCCESS: 1}
    assert [*run.steps[STEP].hosts] == ["0:10.0.0.7", "#8", "#9"]


def test_only_the_targets_are_kept() -> None:
    """A job with all its steps, or one step."""
    for targets, steps in (({JOB}, [STEP, f"{JOB}/201"]), ({STEP}, [STEP]), ({"2:9"}, [])):
        run = RunModel(targets)
        run.set_time(BEGAN)
        for step in (STEP, f"{JOB}/201", "2:101/300"):
            run.job_changed(step.partition("/")[0], 2, is_finished=False, name="")
            host(run, 1, RUNNING, step=step)

        assert [*run.steps] == steps
        assert sum(run.counts) == len(steps)
        assert [*run.jobs] == ([JOB] if steps else [])


def test_time_never_goes_back() -> None:
    """A clock that jumps makes no negative duration."""
    run = RunModel()
    run.set_time(BEGAN)
    host(run, 1, RUNNING)
    run.set_time(BEGAN - 3600)
    host(run, 1, SUCCESS, before=RUNNING)

    assert [*run.durations] == [0.0]
