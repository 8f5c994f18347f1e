"""What is to be reported is the difference between what was and what is: reported, it makes one of the other."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from bkjob_async import Batch, Event, HostChanged, HostCounts, StreamState
from bkjob_async.engine.folding.diff import NOTHING, Missed, ReportedState, diff
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import copy_of
from bkjob_async.model.poll_view import JobPollView, StepPollView
from tests.engine.applied import apply_job, apply_step
from tests.engine.folding.test_stream_state import STEP, present_in
from tests.engine.journaling.test_fold import played, views
from tests.engine.poll_views import JOB, Row, at, job, step
from tests.engine.responses.test_job_tracker import job_state
from tests.examples import examples

HOSTS = [Row(status=7, bk_host_id=number) for number in (1, 2)]
FAILED = [Row(status=104, bk_host_id=1), HOSTS[1]]


def seen(*polls: tuple[float, list[Row]], code: int = 2, run: int = 0) -> JobState:
    """Return the state of a step after these polls."""
    state = job_state(STEP)
    for now, rows in polls:
        apply_step(state, step(code, rows, run=run), at(now))
    return state


def moves(reported: ReportedState, state: JobState) -> list[tuple[int | None, int | None, bool]]:
    """Return the status before and after of each host that is to be reported, and whether that is marked."""
    return [
        (event.host.bk_host_id, event.before.code if event.before else None, event.skipped)
        for event in diff(reported, state, [STEP])
        if isinstance(event, HostChanged)
    ]


def test_all_is_reported_where_nothing_was() -> None:
    """With no status before."""
    assert moves(NOTHING, seen((1, HOSTS), (2, FAILED))) == [(1, None, False), (2, None, False)]


def test_what_differs_from_a_reported_state_is_reported() -> None:
    """With the reported status before, also of a host that was never reported."""
    state = seen((1, HOSTS), (2, FAILED))

    assert moves(seen((1, HOSTS)), state) == [(1, 7, False)]
    assert moves(seen((1, HOSTS[:1])), state) == [(1, 7, False), (2, None, False)]
    assert moves(copy_of(state), state) == []


def test_what_changed_since_a_place_in_the_stream_is_reported() -> None:
    """Marked, with the status before its last change, and with counts behind it, for it may have changed more than once."""
    state = seen((1, HOSTS), (2, FAILED))
    since = at(2).sequence
    events = list(diff(Missed(since, skipped=True), state, [STEP]))

    assert moves(Missed(since, skipped=True), state) == [(1, 7, True)]
    assert [type(event) for event in events] == [HostChanged, HostCounts]
    assert moves(Missed(since + 1, skipped=True), state) == []


def test_hosts_of_an_earlier_execution_are_forgotten_first() -> None:
    """The step is reopened, and none of its hosts counts any more; all are reported anew."""
    events = list(diff(seen((1, FAILED), (20, FAILED), code=4), seen((1, HOSTS), run=1), [STEP]))

    assert [event.kind for event in events][:4] == ["reopened", "host_counts", "step_changed", "host_changed"]
    assert [event.before for event in events if isinstance(event, HostChanged)] == [None, None]


def test_hosts_of_an_execution_that_began_again_are_forgotten_first() -> None:
    """It does where a database was restored from before it; some hosts may not be listed yet then."""
    reported, state = seen((1, HOSTS), run=1), seen((1, HOSTS), run=1)
    for now, run in ((2, 0), (50, 0), (100, 0), (150, 0), (200, 0), (280, 1)):
        apply_step(state, step(2, None, run=run), at(now))
    events = tuple(diff(reported, state, [STEP]))
    assert [event.kind for event in events] == ["host_counts"]
    reader = StreamState()
    reader.apply(Batch(1, tuple(diff(NOTHING, reported, [STEP])), "1-test"))
    reader.apply(Batch(2, events, "2-test"))
    assert told(reader._jobs[JOB]) == told(state)

    apply_step(state, step(2, HOSTS[:1], run=1), at(281))
    assert [event.kind for event in diff(reported, state, [STEP])] == ["host_counts", "host_changed"]
    assert moves(reported, state) == [(1, None, False)]

    apply_step(state, step(2, HOSTS, run=1), at(282))
    assert moves(reported, state) == []


def test_hosts_of_a_step_that_never_began_are_reported_where_it_was_reopened_meanwhile() -> None:
    """Of one that was not, a response lists hosts that wait for ever; this one has announced them."""
    state = job_state(STEP)
    for now in (1, 20):
        apply_job(state, job(3, step(1)), at(now))
    assert state.steps[0].announced.finished
    reported = copy_of(state)
    apply_job(state, job(3, step(1, HOSTS)), at(21))
    assert moves(reported, state) == []

    apply_job(state, job(2, step(1, HOSTS)), at(22))
    for now in (23, 40):
        apply_job(state, job(3, step(1)), at(now))
    assert state.steps[0].announced.finished

    assert moves(reported, state) == [(1, None, False), (2, None, False)]


@settings(max_examples=examples(400))
@given(responses=views, read=st.integers(0, 12), missed=st.booleans())
def test_the_difference_makes_the_state_of_what_was_reported(
    responses: list[tuple[float, JobPollView | StepPollView]], *, read: int, missed: bool
) -> None:
    """Wherever a reader stopped, and whether its state or its place in the stream is known."""
    batches = list[Batch]()
    state, _ = played(responses, batches)
    stream = StreamState()
    for batch in batches[:read]:
        stream.apply(batch)
    reported: ReportedState = stream._jobs.get(JOB, JobState(JOB))
    if missed:
        reported = Missed(batches[:read][-1].sequence + 1, skipped=True) if batches[:read] else NOTHING
    events: tuple[Event, ...] = tuple(diff(reported, state, [JOB, STEP]))

    stream.apply(Batch(batches[-1].sequence + 1 if batches else 1, events, "9-test"))

    if batches:
        assert told(stream._jobs.get(JOB, JobState(JOB))) == told(state)


def told(state: JobState) -> list[str]:
    """Return what a state says of its hosts, its steps and itself, but for the number of its epoch: that is reported late."""
    return [re.sub(r"'epoch': \d+, ", "", line) for line in present_in(state)]
