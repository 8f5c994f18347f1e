"""What failed polls tell of their targets."""

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Lost, LostReason
from bkjob_async.watch.polling.error_reporting import lose_missing_steps
from tests.engine.applied import apply_job
from tests.engine.poll_views import JOB, at, job, step


def test_a_step_that_its_job_does_not_list_is_lost_with_the_second_response() -> None:
    """One response may come from a database that is behind; a step that was read once is not lost so."""
    state = JobState(JOB)
    seen, missing = JOB.step(200), JOB.step(201)
    for ref in (seen, missing):
        state.add_target(ref)
    lost = []
    for now in (1.0, 2.0, 3.0):
        apply_job(state, job(2, step(2)) if now < 2.0 else job(2), at(now))
        lost.append(
            [(event.ref, event.reason) for event in lose_missing_steps(state, now) if isinstance(event, Lost)]
        )

    assert lost == [[], [(missing, LostReason.NOT_FOUND)], []]
