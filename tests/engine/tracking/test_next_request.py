"""Which question comes next."""

from attrs import evolve

from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.engine.tracking.next_request import LONGEST_PROXY, begin_follow_ups, next_request
from bkjob_async.engine.tracking.step_state import HIDDEN
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.refs import Ref
from tests.engine.looks import JOB, at, host, job, step

GATEWAY = Capabilities(step_status=True, job_rows_on_request=True, groups=True)
ESB = Capabilities(step_status=False, job_rows_on_request=False, groups=False)
STEP = JOB.step(200)
MANY = [host(n, 7) for n in range(1, 251)]


def story_of(*targets: Ref) -> JobTracker:
    """Return a story with these targets."""
    story = JobTracker(JOB)
    for ref in targets:
        story.want(ref)
    return story


def test_a_job_is_asked_first_then_the_steps_that_run() -> None:
    """Steps without their turn are not asked for rows, and neither are those that are over."""
    story = story_of(JOB)
    first = next_request(story, GATEWAY)
    assert first == GetJobInstanceStatus(ref=JOB)

    story.apply_job(job(2, step(2), step(1, number=201)), at(0))
    begin_follow_ups(story, first, GATEWAY)
    assert next_request(story, GATEWAY) == GetStepInstanceStatus(ref=STEP, batch=0)
    assert not story.pending


def test_a_small_job_is_one_question() -> None:
    """Once its size is known, all rows come with the job."""
    story = story_of(JOB)
    story.apply_job(job(2, step(2)), at(0))
    story.apply_step(step(2, [host(1, 7)]), at(0))

    assert next_request(story, GATEWAY) == GetJobInstanceStatus(ref=JOB, return_ip_result=True)


def test_a_large_job_is_never_asked_for_all_rows_at_once() -> None:
    """One body with tens of thousands of rows is no cheap question."""
    story = story_of(JOB)
    story.apply_job(job(2, step(2)), at(0))
    story.apply_step(step(2, MANY), at(LONGEST_PROXY))

    assert next_request(story, GATEWAY) == GetJobInstanceStatus(ref=JOB)


def test_a_large_step_that_runs_speaks_for_its_job() -> None:
    """Its counts are asked for; the job itself when the step no longer simply runs, and at once."""
    story = story_of(JOB)
    story.apply_job(job(2, step(2), step(1, number=201)), at(0))
    story.apply_step(step(2, MANY), at(0))

    question = next_request(story, GATEWAY)
    assert question == GetStepInstanceStatus(ref=STEP, batch=0, max_host_num_per_group=1)
    story.apply_step(step(2, MANY), at(1))
    begin_follow_ups(story, question, GATEWAY)
    assert not story.pending

    question = next_request(story, GATEWAY)
    story.apply_step(step(3, MANY), at(2))
    begin_follow_ups(story, question, GATEWAY)
    assert story.pending
    assert next_request(story, GATEWAY) == GetJobInstanceStatus(ref=JOB)
    assert not story.pending


def test_no_step_speaks_for_a_job_that_waits_or_was_just_operated_on() -> None:
    """Only of a job that runs, undisturbed, there is no more to say than of its running step."""
    for code, since in ((7, None), (2, 0.0)):
        story = story_of(JOB)
        story.apply_job(job(code, step(2)), at(0))
        story.apply_step(step(2, MANY), at(0))
        if since is not None:
            story.expect_change(since)

        assert next_request(story, GATEWAY) == GetJobInstanceStatus(ref=JOB)


def test_a_step_is_asked_for_itself() -> None:
    """A single step needs no question about its job."""
    assert next_request(story_of(STEP), GATEWAY) == GetStepInstanceStatus(ref=STEP, batch=0)


def test_a_step_that_cannot_speak_for_itself_is_read_through_its_job() -> None:
    """A dialect without step status, or a confirmation, is read in the job's answer."""
    assert isinstance(next_request(story_of(STEP), ESB), GetJobInstanceStatus)

    story = story_of(STEP)
    story.tracker(200).refusals = HIDDEN
    assert isinstance(next_request(story, GATEWAY), GetJobInstanceStatus)


def test_hosts_that_nothing_can_be_asked_about_are_not_waited_for() -> None:
    """Containers outside v4: the job refuses its rows, and there is no question about a step."""
    jobv3 = Capabilities(step_status=False, job_rows_on_request=True, groups=False)
    story = story_of(JOB)
    assert next_request(story, jobv3) == GetJobInstanceStatus(ref=JOB, return_ip_result=True)
    story.poll_failures = evolve(story.poll_failures, job_rows_refused=3)
    question = next_request(story, jobv3)
    assert question == GetJobInstanceStatus(ref=JOB)
    story.apply_job(job(2, step(2)), at(0))
    begin_follow_ups(story, question, jobv3)

    story.apply_job(job(3, step(3)), at(1))
    assert story.is_over(JOB)
    assert not story.result(JOB).steps[0].hosts_visible
