"""A stream amounts to its jobs, steps and hosts as they were reported last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings

from bkjob_async import (
    Batch,
    Event,
    Finished,
    HostChanged,
    HostCounts,
    HostKey,
    HostSnapshot,
    InSync,
    JobChanged,
    JobResult,
    JobSnapshot,
    Lost,
    LostReason,
    Phase,
    Recovered,
    Reopened,
    Resumed,
    StepChanged,
    StepResult,
    StepSnapshot,
    StreamState,
    Times,
    Trouble,
    event_from_json,
    event_to_json,
)
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.status import host_status, run_status
from tests.engine.journaling.folding import fold
from tests.engine.journaling.test_fold import played, views
from tests.engine.poll_views import JOB
from tests.engine.poll_views import present as present_of
from tests.examples import examples

STEP = JOB.step(200)


def host(number: int, code: int, before: int | None = None, **rest: Any) -> HostChanged:
    """Return the event that a host has a status."""
    was = None if before is None else host_status(before)
    given: dict[str, Any] = {"host": HostKey(bk_host_id=number), "execute_count": 0, **rest}
    return HostChanged(ref=STEP, before=was, after=host_status(code), **given)


def step(code: int, *, finished: bool = False, execute_count: int = 0, **rest: Any) -> StepChanged:
    """Return the event that the step has a status."""
    after = run_status(code)
    return StepChanged(
        ref=STEP, execute_count=execute_count, before=None, after=after, is_finished=finished, **rest
    )


def job(code: int, *, finished: bool = False, **rest: Any) -> JobChanged:
    """Return the event that the job has a status."""
    return JobChanged(ref=JOB, before=None, after=run_status(code), is_finished=finished, **rest)


def ended(code: int, *steps: StepResult, **rest: Any) -> Finished:
    """Return the event that the job is over."""
    return Finished(ref=JOB, result=JobResult(ref=JOB, status=run_status(code), steps=steps, **rest))


def state_of(*batches: Sequence[Event], hosts: bool = True) -> StreamState:
    """Return what these batches amount to."""
    state = StreamState(hosts=hosts)
    for number, events in enumerate(batches, 1):
        state.apply(Batch(number, tuple(events), f"{number}-test"))
    return state


def shown(state: StreamState) -> StepSnapshot:
    """Return the step as it was reported last."""
    found = state.snapshot(STEP)
    assert isinstance(found, StepSnapshot)
    return found


def test_what_was_reported_last_is_the_state() -> None:
    """Of the job, of the step, of each host."""
    state = state_of(
        [job(2, name="deploy"), host(1, 7), host(2, 7), step(2, name="send")],
        [host(2, 104, 7, tag="full", exit_code=3)],
    )

    found = state.snapshot(JOB)
    assert isinstance(found, JobSnapshot)
    assert (found.status.code, found.name, found.is_finished) == (2, "deploy", False)
    (only,) = found.steps
    assert (only.status.code, only.name, only.is_finished) == (2, "send", False)
    assert [(each.host.bk_host_id, each.status.code, each.exit_code) for each in only.hosts or ()] == [
        (1, 7, None),
        (2, 104, 3),
    ]
    assert state.counts() == state.counts(STEP) == {Phase.RUNNING: 1, Phase.FAILED: 1}
    assert [*state.jobs] == [JOB]
    assert state.cursor == "2-test"


def test_nothing_is_known_before_the_first_batch() -> None:
    """Every question has an answer."""
    state = StreamState()

    assert (state.snapshot(JOB), state.progress(STEP), dict(state.counts(JOB)), dict(state.counts())) == (
        None,
        None,
        {},
        {},
    )
    assert (state.cursor, state.is_in_sync, [*state.jobs], dict(state.ends)) == ("", False, [], {})


@settings(max_examples=examples(300))
@given(views)
def test_a_stream_amounts_to_what_its_journal_has(
    seen: list[tuple[float, JobPollView | StepPollView]],
) -> None:
    """Whoever reads the batches knows the hosts and statuses that a restored watch begins with."""
    state, batches = StreamState(), list[Batch]()
    _, records = played(seen, batches)
    for batch in batches:
        state.apply(batch)
    folded = fold((), records)

    if batches:
        assert present_in(state._jobs[JOB]) == present_in(folded.jobs[JOB])
    else:
        assert not state.jobs


def present_in(known: JobState) -> list[str]:
    """Return the present of a job as texts in any order: a stream does not say in which the steps are listed."""
    return sorted(repr(without_details(event)) for event in present_of(known, [JOB]))


def without_details(event: Event) -> dict[str, Any]:
    """Return what an event says but for details that only records have."""
    left_out = {"cursor", "tag", "exit_code", "result"}
    return {name: value for name, value in event_to_json(event).items() if name not in left_out}


def test_single_events_and_events_of_many_are_the_same() -> None:
    """Also events that were read back from JSON."""
    events: list[Event] = [host(number, 7) for number in range(1, 200)]
    back = [event_from_json(event_to_json(event)) for event in events]

    one_by_one = state_of(*([event] for event in events))

    assert shown(one_by_one) == shown(state_of(events)) == shown(state_of(back))


def test_a_name_that_is_learnt_later_makes_no_other_host() -> None:
    """The id and the address are names of one host."""
    both = HostKey(bk_host_id=1, bk_cloud_id=0, ip="10.0.0.1")

    state = state_of([host(1, 7)], [host(1, 9, 7, host=both)])

    assert [each.host for each in shown(state).hosts or ()] == [both]
    assert state.counts(STEP) == {Phase.SUCCESS: 1}


def test_hosts_of_another_execution_are_counted_anew() -> None:
    """Whether the counts, the step or the hosts themselves are the first to tell of it; an earlier one counts, too."""
    first: list[Event] = [host(1, 104), host(2, 9), step(4, finished=True)]
    counts = HostCounts(ref=STEP, execute_count=1, hosts={})
    for begun in (counts, step(2, execute_count=1), host(1, 7, execute_count=1)):
        state = state_of(first, [begun], [host(1, 7, execute_count=1)])

        assert state.counts(STEP) == {Phase.RUNNING: 1}
        assert shown(state).execute_count == 1
        assert not shown(state).is_finished

    again = state_of(first, [step(2, execute_count=1)], [step(2, execute_count=0), host(2, 7)])
    assert again.counts(STEP) == {Phase.RUNNING: 1}


def test_the_end_of_a_target_is_kept_until_it_runs_again() -> None:
    """A reader that is late is not given `Reopened`, and sees by its status that it runs."""
    over: list[Event] = [host(1, 9), step(3, finished=True), job(3, finished=True), ended(3)]

    assert state_of(over).ends == {JOB: ended(3)}
    for again in (Reopened(ref=JOB, epoch=1), job(2, skipped=True)):
        state = state_of(over, [again])
        assert state.ends == {}
        progress = state.progress(JOB)
        assert progress is not None
        assert progress.hosts == {Phase.SUCCESS: 1}
    assert state_of(over, [Reopened(ref=JOB, epoch=1)], [ended(4)]).ends == {JOB: ended(4)}


def test_the_result_of_a_target_is_its_progress() -> None:
    """With what no event before it says: times, and what was read late of failed hosts."""
    failed = HostSnapshot(
        host=HostKey(bk_host_id=1), status=host_status(104), tag="late", exit_code=9, error_code=1
    )
    times = Times(total_time=4.0)
    result = StepResult(
        ref=STEP,
        status=run_status(4),
        is_finished=True,
        times=times,
        hosts={Phase.FAILED: 1},
        failed=[failed],
    )
    end = ended(4, result, times=times)

    state = state_of([host(1, 104), step(4, finished=True), job(4, finished=True), end])

    assert state.progress(JOB) == end.result
    assert shown(state).hosts == (failed,)
    assert shown(state).times == times


def test_a_lost_target_has_ended_and_its_trouble_with_it() -> None:
    """Nothing is tried any more; once it is read again it has not ended."""
    lost = Lost(ref=JOB, reason=LostReason.GONE)
    own, of_step = (Trouble(ref=ref, error="NotFound", message="") for ref in (JOB, STEP))
    state = state_of([job(2), step(7)], [own, of_step], [lost])

    assert state.ends == {JOB: lost}
    assert (state.trouble, state.waiting) == ({}, {})

    state.apply(Batch(9, (job(2),)))
    assert state.ends == {}


def test_trouble_lasts_until_it_is_over() -> None:
    """That of one target, of all, and that of the journal are three."""
    own = Trouble(ref=STEP, error="NotFound", message="")
    all_of_them = Trouble(ref=None, error="PlatformTrouble", message="502")
    away = Trouble(ref=None, error="JournalUnavailable", message="")

    state = state_of([own, all_of_them, away])
    assert (state.trouble, state.journal_trouble) == ({STEP: own, None: all_of_them}, away)

    state.apply(Batch(2, (Recovered(ref=None, error="JournalUnavailable"),)))
    assert (state.trouble, state.journal_trouble) == ({STEP: own, None: all_of_them}, None)

    state.apply(Batch(3, (Recovered(ref=None), Recovered(ref=STEP))))
    assert state.trouble == {}


@pytest.mark.parametrize("code", [7, 15])
def test_a_step_waits_until_its_status_is_another_one(code: int) -> None:
    """For a user, or for its next batch; not once its job is over."""
    waits = [step(code)]

    assert state_of(waits).waiting == {STEP: run_status(code)}
    assert state_of(waits, [step(2)]).waiting == {}
    assert state_of(waits, [step(code, finished=True)]).waiting == {}


def test_it_is_in_sync_once_the_present_was_reported() -> None:
    """A watch that is resumed has to read all targets again."""
    assert state_of([InSync()]).is_in_sync
    assert not state_of([InSync()], [Resumed(term=2, gap=1.0)]).is_in_sync


def test_what_is_forgotten_leaves_nothing() -> None:
    """A step, or a job with its steps."""
    other = JOB.step(201)
    lost = Lost(ref=other, reason=LostReason.NOT_FOUND)
    state = state_of([job(7), host(1, 7), step(7), ended(3), lost, Trouble(ref=STEP, error="", message="")])

    state.forget(other)
    assert state.ends == {JOB: ended(3)}
    assert state.counts() == {Phase.RUNNING: 1}
    state.forget(STEP)
    assert (state.counts(), state.snapshot(STEP), state.waiting, state.trouble) == ({}, None, {}, {})
    assert state.snapshot(JOB) is not None
    state.forget(JOB)
    state.forget(JOB)
    assert ([*state.jobs], state.ends) == ([], {})


def test_hosts_may_be_left_out() -> None:
    """Then nothing is said of them, and all else is as before."""
    state = state_of([job(2), host(1, 7), step(2)], hosts=False)

    found = state.snapshot(JOB)
    assert isinstance(found, JobSnapshot)
    assert [(each.status.code, each.hosts) for each in found.steps] == [(2, None)]
    assert shown(state).hosts is None
    assert state.counts() == {}


def test_jobs_may_be_left_out() -> None:
    """Ends, waits and trouble are known all the same."""
    trouble = Trouble(ref=JOB, error="PlatformTrouble", message="")
    state = StreamState(jobs=False)

    state.apply(Batch(1, (job(2), host(1, 7), step(7), trouble, InSync()), "1-test"))
    assert (state.waiting, state.trouble, state.is_in_sync) == ({STEP: run_status(7)}, {JOB: trouble}, True)
    state.apply(Batch(2, (ended(3),), "2-test"))
    assert (state.ends, [*state.jobs], state.snapshot(JOB), state.counts()) == ({JOB: ended(3)}, [], None, {})
    state.forget(JOB)
    state.forget(STEP)
    assert (state.ends, state.waiting, state.trouble) == ({}, {}, {})


def test_refs_are_given_in_any_form_with_a_scope() -> None:
    """As text, for one."""
    state = state_of([job(2), step(2)])

    assert state.snapshot("2:100/200") == shown(state)
