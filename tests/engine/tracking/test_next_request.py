"""Which request is sent next."""

from attrs import evolve
from msgspec.structs import replace

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_tracker import apply_job, apply_step, expect_change
from bkjob_async.engine.tracking.job_views import target_result
from bkjob_async.engine.tracking.next_request import (
    LONGEST_REPRESENTED,
    known_rows,
    next_request,
    plan_follow_ups,
)
from bkjob_async.engine.tracking.step_state import HOSTS_HIDDEN
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.refs import Ref
from tests.engine.poll_views import JOB, at, host, job, step

GATEWAY = Capabilities(step_status=True, job_rows_on_request=True, groups=True)
ESB = Capabilities(step_status=False, job_rows_on_request=False, groups=False)
STEP = JOB.step(200)
MANY = [host(n, 7) for n in range(1, 251)]


def job_state(*targets: Ref) -> JobState:
    """Return a state with these targets."""
    state = JobState(JOB)
    for ref in targets:
        state.add_target(ref)
    return state


def test_a_job_is_asked_first_then_the_steps_that_run() -> None:
    """Rows of steps that have not started, or are over, are not requested."""
    state = job_state(JOB)
    first = next_request(state, GATEWAY)
    assert first == GetJobInstanceStatus(ref=JOB)

    apply_job(state, job(2, step(2), step(1, number=201)), at(0))
    plan_follow_ups(state, first, GATEWAY)
    assert next_request(state, GATEWAY) == GetStepInstanceStatus(ref=STEP, batch=0)
    assert not state.pending


def test_the_second_response_about_a_step_need_not_be_decoded() -> None:
    """The first one gets a digest as well; where it lists no hosts, the second is decoded."""
    state = job_state(STEP)
    request = next_request(state, GATEWAY)
    assert isinstance(request, GetStepInstanceStatus)
    known = known_rows(state, request)
    assert known is not None
    assert not known.digest

    for rows in ([], [host(1, 7)]):
        apply_step(state, replace(step(2, rows), digest=5), at(0))
        known = known_rows(state, request)
        assert (0 if known is None else known.digest) == (5 if rows else 0)


def test_a_small_job_is_one_question() -> None:
    """Once its size is known, all rows come with the job."""
    state = job_state(JOB)
    apply_job(state, job(2, step(2)), at(0))
    apply_step(state, step(2, [host(1, 7)]), at(0))

    assert next_request(state, GATEWAY) == GetJobInstanceStatus(ref=JOB, return_ip_result=True)


def test_all_rows_of_a_large_job_are_never_requested_at_once() -> None:
    """One body with tens of thousands of rows is no cheap request."""
    state = job_state(JOB)
    apply_job(state, job(2, step(2)), at(0))
    apply_step(state, step(2, MANY), at(LONGEST_REPRESENTED))

    assert next_request(state, GATEWAY) == GetJobInstanceStatus(ref=JOB)


def test_a_large_step_that_runs_speaks_for_its_job() -> None:
    """Its counts are requested; the job itself when the step no longer simply runs, and at once."""
    state = job_state(JOB)
    apply_job(state, job(2, step(2), step(1, number=201)), at(0))
    apply_step(state, step(2, MANY), at(0))

    question = next_request(state, GATEWAY)
    assert question == GetStepInstanceStatus(ref=STEP, batch=0, max_host_num_per_group=1)
    apply_step(state, step(2, MANY), at(1))
    plan_follow_ups(state, question, GATEWAY)
    assert not state.pending

    question = next_request(state, GATEWAY)
    apply_step(state, step(3, MANY), at(2))
    plan_follow_ups(state, question, GATEWAY)
    assert state.pending
    assert next_request(state, GATEWAY) == GetJobInstanceStatus(ref=JOB)
    assert not state.pending


def test_no_step_speaks_for_a_job_that_waits_or_was_just_operated_on() -> None:
    """Only of a job that runs, undisturbed, there is no more to say than of its running step."""
    for code, since in ((7, None), (2, 0.0)):
        state = job_state(JOB)
        apply_job(state, job(code, step(2)), at(0))
        apply_step(state, step(2, MANY), at(0))
        if since is not None:
            expect_change(state, since)

        assert next_request(state, GATEWAY) == GetJobInstanceStatus(ref=JOB)


def test_a_step_is_requested_itself() -> None:
    """A single step needs no request about its job."""
    assert next_request(job_state(STEP), GATEWAY) == GetStepInstanceStatus(ref=STEP, batch=0)


def test_a_step_that_cannot_speak_for_itself_is_read_through_its_job() -> None:
    """A dialect without step status, or a confirmation, is read in the job's response."""
    assert isinstance(next_request(job_state(STEP), ESB), GetJobInstanceStatus)

    state = job_state(STEP)
    state.step(200).host_refusals = HOSTS_HIDDEN
    assert isinstance(next_request(state, GATEWAY), GetJobInstanceStatus)


def test_hosts_that_nothing_can_be_asked_about_are_not_waited_for() -> None:
    """Containers outside v4: the job refuses its rows, also when it is over, and there is no request about a step."""
    jobv3 = Capabilities(step_status=False, job_rows_on_request=True, groups=False)
    state = job_state(JOB)
    assert next_request(state, jobv3) == GetJobInstanceStatus(ref=JOB, return_ip_result=True)
    state.poll_failures = evolve(state.poll_failures, job_rows_refused=3, rows_refused_at=0.0)
    asked = []
    for now, code in ((0.5, 2), (1, 3), (2, 3), (16.5, 3), (17, 3)):
        apply_job(state, job(code, step(code)), at(now))
        plan_follow_ups(state, GetJobInstanceStatus(ref=JOB), jobv3)
        request = next_request(state, jobv3)
        asked.append(isinstance(request, GetJobInstanceStatus) and request.return_ip_result)
        if asked[-1]:
            state.poll_failures = evolve(state.poll_failures, rows_refused_at=now + 0.1)

    assert asked == [False, True, True, False, False]
    assert state.is_over(JOB)
    assert not target_result(state, JOB).steps[0].hosts_visible
