"""A response that shows the present state is not applied: applying it would make no event either."""

from collections.abc import Sequence
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bkjob_async.engine.responses import job_tracker
from bkjob_async.engine.responses.job_tracker import expect_change
from bkjob_async.engine.responses.unchanged import known_rows, note_unchanged_job
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import target_snapshot
from bkjob_async.model.operations.base import GetJobInstanceStatus
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import JobRef, Ref
from tests.engine.applied import NO_EVENTS, apply_job
from tests.engine.poll_views import JOB, Row, at, host, job, present, step
from tests.engine.responses.test_job_tracker import apply, word
from tests.examples import examples


def watched(target: Ref) -> JobState:
    """Return the state of a job in which *target* is watched."""
    state = JobState(JOB)
    state.add_target(target)
    return state


def apply_in_full(state: JobState, now: float, view: JobPollView | StepPollView) -> list[str]:
    """Apply a response without the comparison at the beginning; return the events in words."""
    if isinstance(view, JobPollView):
        events = job_tracker.apply_job(state, view, at(now))
    else:
        events = job_tracker.apply_step(state, view, at(now))
    return [word(event) for event in events]


HOSTS = (
    [host(1, 7), host(2, 7)],
    [host(2, 7), host(1, 7)],
    [host(1, 7), host(2, 9)],
    [host(1, 9), host(2, 9)],
)
OTHER_ROWS: Sequence[Sequence[Row] | None] = (*HOSTS, HOSTS[0][:1], HOSTS[0] * 2, [], None)
BASES = (
    step(2, HOSTS[0]),
    step(3, HOSTS[3]),
    step(6, HOSTS[3]),
    step(777, HOSTS[0]),
    step(2, HOSTS[0], run=1),
    # The end of a host is believed at the second time.
    replace(step(2, HOSTS[2]), complete=False),
)


def one_thing_changed(view: StepPollView) -> st.SearchStrategy[StepPollView]:
    """Return views like *view*, all but for one thing."""
    rows = [step(view.status, rows, run=view.execute_count) for rows in OTHER_ROWS]
    changed = [
        replace(view, execute_count=1 - view.execute_count),
        replace(view, complete=False),
        replace(view, finished=True),
        replace(view, finished=False),
        replace(view, name="another"),
        replace(view, groups=None, complete=False),
        *(replace(view, status=status) for status in (1, 2, 3, 6, 777)),
    ]
    return st.sampled_from([view, *changed, *rows])


shown = st.sampled_from(BASES).flatmap(one_thing_changed)
changes = st.tuples(
    st.floats(0.5, 20.0),
    shown,
    st.sampled_from([None, None, 2, 2, 2, 3, 777]),  # of the job, where it is what is asked
    st.sampled_from([None, None, None, False, True]),
    st.sampled_from([0, 0, 1]),
    st.sampled_from([False, False, False, True]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[float, JobPollView | StepPollView, bool]]:
    """Return views with the seconds before each; most show what the one before did."""
    views: list[tuple[float, JobPollView | StepPollView, bool]] = []
    for _ in range(draw(st.integers(1, 5))):
        seconds, of_step, status, flag, further, operated = draw(changes)
        rest = [step(1, number=201)] * further
        view = of_step if status is None else job(status, of_step, *rest, finished=flag)
        views += [(seconds, view, operated)] * draw(st.integers(1, 2))
        if isinstance(view, StepPollView):
            again: JobPollView | StepPollView = draw(one_thing_changed(view))
        else:
            again = replace(view, steps=(draw(one_thing_changed(of_step)), *rest))
        views.append((seconds, again, False))
    return views


@settings(max_examples=examples(300))
@given(st.sampled_from([JOB, JOB.step(200)]), histories())
def test_the_comparison_changes_nothing(
    target: Ref, views: Sequence[tuple[float, JobPollView | StepPollView, bool]]
) -> None:
    """With it and without it, every response makes the same events and leads to the same state."""
    quick, thorough = watched(target), watched(target)
    now = 0.0
    for seconds, view, operated in views:
        if operated:
            expect_change(quick, now)
            expect_change(thorough, now)
        now += seconds
        assert apply(quick, now, view) == apply_in_full(thorough, now, view)
        assert state_of(quick, now) == state_of(thorough, now)


TWICE_LISTED, ENDED = job(2, step(3, HOSTS[0] * 2)), job(2, step(3, HOSTS[3]))


@mock.patch("bkjob_async.engine.responses.unchanged.FEW_HOSTS", 0)
@settings(max_examples=examples(300))
@given(histories())
# The step is over, by the bound, in a response whose rows are not believed yet.
@example([(1.0, TWICE_LISTED, False)] * 2 + [(15.0, ENDED, False), (1.0, ENDED, False)])
def test_a_response_with_the_digest_of_the_last_one_changes_nothing(
    views: Sequence[tuple[float, JobPollView | StepPollView, bool]],
) -> None:
    """As its bytes are those of a response whose rows were all believed, they need not be decoded."""
    quick, thorough = watched(JOB), watched(JOB)
    request, now, digests = GetJobInstanceStatus(ref=JOB), 0.0, list[JobPollView]()
    for seconds, view, operated in views:
        for state in (quick, thorough) if operated else ():
            expect_change(state, now)
        now += seconds
        if isinstance(view, JobPollView):
            digests += [view] * (view not in digests)
            with_digest = replace(view, digest=1 + digests.index(view))
            known = known_rows(quick, request)
            if known is not None and known.digest == with_digest.digest and known.status == view.status:
                with_digest = JobPollView(
                    status=known.status, name=known.name, digest=known.digest, has_known_rows=True
                )
            assert apply(quick, now, with_digest) == apply_in_full(thorough, now, view)
        assert state_of(quick, now) == state_of(thorough, now)


def state_of(state: JobState, now: float) -> Sequence[object]:
    """Return all that decides about the next polls and events."""
    return (
        state.all_settled(),
        state.is_settling(),
        state.is_waiting(now),
        state.seen_at,
        state.age(now),
        list(state.open_steps()) == [] or [step.active_at for step in state.open_steps()],
        [target_snapshot(state, ref) for ref in state.targets],
        [present(state, [ref]) for ref in state.targets if isinstance(ref, JobRef)],
    )


def test_a_response_that_shows_the_present_state_makes_no_event() -> None:
    """It counts as seen."""
    state = watched(JOB)
    shown = job(2, step(2, [host(1, 7)]), step(1, number=201))
    apply_job(state, shown, at(0))

    assert apply_job(state, shown, at(3)) is NO_EVENTS
    assert state.seen_at == 3


def test_a_step_that_lists_no_hosts_yet_is_unchanged_too() -> None:
    """As most jobs of several steps have one: all that follow the step that runs."""
    state = watched(JOB)
    view = job(2, step(2, HOSTS[0]), step(1, [], number=201))
    apply_in_full(state, 0.0, view)

    assert note_unchanged_job(state, view, 1.0)
    assert not note_unchanged_job(state, job(2, step(2, HOSTS[0]), step(1, HOSTS[0], number=201)), 2.0)
