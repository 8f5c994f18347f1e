"""What the planner learns from ends of runs, and how it plans polls."""

import pytest

from bkjob_async.engine.scheduling.poll_interval import PollIntervals
from bkjob_async.engine.scheduling.poll_planner import MOST_TRUST, PollPlanner
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import JOB_ITSELF
from bkjob_async.engine.tracking.poll_state import PollState
from bkjob_async.model.refs import JobRef
from tests.engine.poll_views import JOB


def planner_after(ends: int, *, called_back: int) -> PollPlanner:
    """Return a planner after so many ends, of which the first were announced by a callback."""
    planner = PollPlanner(PollIntervals())
    for number in range(ends):
        tracker = JobState(JOB)
        tracker.poll_state = PollState(nudged=number < called_back)
        tracker.ended = ((JOB, 30.0),)
        planner.learn(tracker, 100.0, expects_callbacks=True)
    return planner


@pytest.mark.parametrize(
    ("ends", "called_back", "share"),
    [(0, 0, 0.5), (4, 0, 0.25), (16, 8, 0.5), (16, 16, 0.9), (90, 90, MOST_TRUST)],
)
def test_callbacks_are_trusted_by_their_share_of_ends(ends: int, called_back: int, share: float) -> None:
    """Two of four ends are assumed before the first; no share is trusted more than the maximum."""
    assert planner_after(ends, called_back=called_back)._trust == pytest.approx(share)


def test_old_callbacks_count_less() -> None:
    """After many ends with callbacks, a hundred without bring the trust down."""
    planner = planner_after(300, called_back=200)

    assert planner._trust < 0.4


def test_planned_polls_are_counted_one_by_one() -> None:
    """They tell apart what is known of a job's age, and spread jobs that began together."""
    planner = PollPlanner(PollIntervals())
    job = JobState(JOB, status_code=2, is_target=True)
    planner.begin()
    counts = []
    for now in (0.0, 1.0, 2.0):
        planner.next_poll_at(job, now)
        assert job.poll_state is not None
        counts.append(job.poll_state.polls)

    assert counts == [1, 2, 3]


@pytest.mark.parametrize(("follow_up", "requests"), [(JOB_ITSELF, 1), (200, 2)], ids=["job", "step"])
def test_what_ended_in_a_round_is_no_request_of_the_next(follow_up: int, requests: int) -> None:
    """The job is read again with the hosts of what is over; a step that is read beside it will be again."""
    planner = PollPlanner(PollIntervals())
    job = JobState(JOB, status_code=2, is_target=True)
    planner.begin()
    planner.next_poll_at(job, 0.0)
    planner.on_request(job, 1.0)
    job.pending = (follow_up,)
    planner.on_request(job, 1.0)

    assert job.poll_state is not None
    assert job.poll_state.cost == requests


def test_only_jobs_that_begin_together_are_spread_at_first() -> None:
    """A job that begins while a thousand others run is polled when it can have changed."""
    planner, alone = PollPlanner(PollIntervals()), PollPlanner(PollIntervals())
    states = [JobState(JobRef(JOB.scope, number)) for number in range(1, 2001)]
    for _ in states:
        planner.begin()
    together = {planner.next_poll_at(state, 0.0) for state in states[:1000]}
    for state in states[1000:]:
        planner.next_poll_at(state, 0.0)
    late = JobState(JobRef(JOB.scope, 2002))
    for each in (planner, alone):
        each.begin()

    assert len(together) > 900
    assert planner.next_poll_at(late, 0.0) == alone.next_poll_at(JobState(late.ref), 0.0)
