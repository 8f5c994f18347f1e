"""Which request is sent next."""

from msgspec.structs import replace

from bkjob_async.engine.responses.job_tracker import expect_change
from bkjob_async.engine.responses.unchanged import known_rows
from bkjob_async.engine.tracking.error_policy import classify_poll_error
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import target_result
from bkjob_async.engine.tracking.next_request import (
    JOB_ITSELF,
    LONGEST_REPRESENTED,
    is_worth_compressing,
    next_request,
    plan_follow_ups,
)
from bkjob_async.engine.tracking.step_state import CONFIRMATION, HOSTS_HIDDEN
from bkjob_async.errors import (
    CallFailed,
    ErrorDetails,
    InvalidResponse,
    PlatformTrouble,
    RequestTimedOut,
    Throttled,
)
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.base import GetJobInstanceStatus, GetStepInstanceStatus
from bkjob_async.model.operations.capabilities import Capabilities
from bkjob_async.model.poll_view import NOTHING_READ, JobPollView
from bkjob_async.model.refs import Ref
from tests.engine.applied import apply_job, apply_step
from tests.engine.poll_views import JOB, at, host, job, step

GATEWAY = Capabilities(step_status=True, job_rows_on_request=True, groups=True)
JOBV3 = Capabilities(step_status=False, job_rows_on_request=True, groups=False)
ESB = Capabilities(step_status=False, job_rows_on_request=False, groups=False)
STEP = JOB.step(200)
MANY = [host(n, 7) for n in range(1, 251)]


def job_state(*targets: Ref) -> JobState:
    """Return a state with these targets."""
    state = JobState(JOB)
    for ref in targets:
        state.add_target(ref)
    return state


def test_the_first_round_reads_every_row_at_every_detail_level() -> None:
    """A job that is over needs one request, and hosts of others are reported before other jobs are read."""
    for level in DetailLevel:
        for capabilities in (GATEWAY, JOBV3):
            state = job_state(JOB)
            state.detail_level = level
            first = next_request(state, capabilities)
            assert first == GetJobInstanceStatus(ref=JOB, return_ip_result=True)

            apply_job(state, job(3, step(3, [host(1, 9)])), at(0))
            plan_follow_ups(state, first, capabilities)
            assert not state.pending
            assert state.all_settled()


def test_a_watch_for_the_end_leaves_the_hosts_of_the_first_response_that_run() -> None:
    """They are reported when their step is over, as in later polls."""
    for responses in (job(2, step(2, MANY), step(3, [host(1, 9)], number=201)), job(2, step(2, MANY))):
        state = job_state(JOB)
        state.detail_level = DetailLevel.END_ONLY
        apply_job(state, responses, at(0))

        assert [each.hosts.size for each in state.steps] == [0, 1][: len(responses.steps)]


def test_a_round_for_a_watch_that_joins_leaves_a_step_out_that_never_began() -> None:
    """The platform shows its hosts as waiting, as if it could go on."""
    state = job_state(JOB, STEP, JOB.step(201))
    first, failed = next_request(state, GATEWAY), [host(n, 104) for n in range(1, 251)]
    for second in (0, 60):
        apply_job(state, job(4, step(4, failed), step(1, number=201)), at(second))
        plan_follow_ups(state, first, GATEWAY)
    assert [each.announced.finished for each in state.steps] == [True, True]

    state.pending, state.reads_all = (JOB_ITSELF,), True
    request = next_request(state, GATEWAY)
    apply_job(state, job(4, step(4), step(1, number=201)), at(61))
    plan_follow_ups(state, request, GATEWAY)

    assert [*state.pending] == [200]


def test_for_the_end_only_rows_come_with_the_job_where_requests_are_scarce_unless_it_is_large() -> None:
    """The response that shows the end needs no second one."""
    for rows, scarce in ((MANY[:3], False), (MANY[:3], True), (MANY, True)):
        state = job_state(JOB)
        state.detail_level = DetailLevel.END_ONLY
        next_request(state, JOBV3)
        apply_job(state, job(2, step(2, rows)), at(0))

        request = next_request(state, JOBV3, requests_are_scarce=scarce)
        assert request == GetJobInstanceStatus(ref=JOB, return_ip_result=scarce and rows is not MANY)


def test_for_the_end_only_the_hosts_of_all_steps_that_are_over_follow_in_one_response() -> None:
    """They are requested at once, before other jobs are polled."""
    for capabilities in (GATEWAY, JOBV3):
        state = job_state(JOB)
        state.detail_level = DetailLevel.END_ONLY
        for code in (2, 3):
            request = next_request(state, capabilities)
            apply_job(state, job(code, step(code), step(code, number=201)), at(code))
            plan_follow_ups(state, request, capabilities)

        assert state.pending
        assert next_request(state, capabilities) == GetJobInstanceStatus(ref=JOB, return_ip_result=True)
        assert not state.pending


def test_where_rows_are_refused_the_job_is_read_first_then_the_steps_that_run() -> None:
    """Rows of steps that have not started are not requested; too many rows may be why a response does not come."""
    errors = (
        PlatformTrouble(ErrorDetails(code=1240002)),
        CallFailed(ErrorDetails(code=1650401)),
        RequestTimedOut(ErrorDetails()),
        InvalidResponse(ErrorDetails()),
    )
    for error in errors:
        state = job_state(JOB)
        classify_poll_error(error, next_request(state, GATEWAY), state, 0.0)
        request = next_request(state, GATEWAY)
        assert request == GetJobInstanceStatus(ref=JOB)

        apply_job(state, job(2, step(2), step(1, number=201)), at(0))
        plan_follow_ups(state, request, GATEWAY)
        assert next_request(state, GATEWAY) == GetStepInstanceStatus(ref=STEP, batch=0)
        assert not state.pending


def test_another_error_does_not_cost_the_rows_of_the_first_response() -> None:
    """A throttled request is sent once more as it was."""
    state = job_state(JOB)
    request = next_request(state, GATEWAY)
    classify_poll_error(Throttled(ErrorDetails()), request, state, 0.0)

    assert next_request(state, GATEWAY) == request


def test_a_round_for_a_watch_that_joins_reads_steps_that_are_over_as_well() -> None:
    """A large one in full, as nothing else shows that its hosts have not moved since; a confirmation has none."""
    for level in DetailLevel:
        state = job_state(JOB)
        state.detail_level = level
        confirmed = replace(step(3, [], number=202), type=CONFIRMATION)
        seen = (step(5, MANY), step(2, MANY, number=201), confirmed)
        first = next_request(state, GATEWAY)
        for second in (0, 60):
            apply_job(state, job(2, *seen), at(second))
            plan_follow_ups(state, first, GATEWAY)
        assert state.step(200).announced.finished

        state.pending, state.reads_all = (JOB_ITSELF,), True
        request = next_request(state, GATEWAY)
        assert request == GetJobInstanceStatus(ref=JOB)
        apply_job(state, job(2, step(5), step(2, number=201), replace(confirmed, groups=None)), at(61))
        plan_follow_ups(state, request, GATEWAY)
        assert [*state.pending] == [200, 201]
        assert next_request(state, GATEWAY) == GetStepInstanceStatus(ref=STEP, batch=0)


def test_the_second_response_about_a_step_need_not_be_decoded() -> None:
    """The first one gets a digest as well; where it lists no hosts, the second is decoded."""
    state = job_state(STEP)
    request = next_request(state, GATEWAY)
    assert isinstance(request, GetStepInstanceStatus)
    assert known_rows(state, request) is NOTHING_READ

    for rows in ([], [host(1, 7)]):
        apply_step(state, replace(step(2, rows), digest=5), at(0))
        known = known_rows(state, request)
        assert (0 if known is None else known.digest) == (5 if rows else 0)


def test_an_equal_response_about_a_job_need_not_be_decoded() -> None:
    """Once its rows were believed, and until another one was applied."""
    state = job_state(JOB)
    request = next_request(state, GATEWAY)
    some = [host(n, 7) for n in range(1, 7)]
    shown = replace(job(2, step(2, some)), digest=5)
    assert known_rows(state, request) is NOTHING_READ
    digests = []
    for response in (
        shown,
        shown,
        shown,
        replace(job(2, step(2, [*some[1:], host(1, 9)])), digest=6),
        shown,
        shown,
    ):
        apply_job(state, response, at(0))
        known = known_rows(state, request)
        digests.append(None if known is None else known.digest)
    assert digests == [5, 5, 5, 6, 5, 5]

    known = known_rows(state, request)
    assert known is not None
    skipped = JobPollView(status=known.status, name=known.name, digest=known.digest, has_known_rows=True)
    assert not apply_job(state, skipped, at(1))
    assert (state.seen_at, state.step(200).hosts.size) == (1, 6)

    apply_step(state, step(2, [*some, host(7, 7)]), at(2))
    known = known_rows(state, request)
    assert known is not None
    assert not known.digest
    state.detail_level = DetailLevel.END_ONLY  # rows of a response are not applied then
    apply_job(state, shown, at(3))
    state.detail_level = DetailLevel.EVERY_CHANGE
    known = known_rows(state, request)
    assert known is not None
    assert not known.digest


def test_a_response_with_many_hosts_is_worth_compressing() -> None:
    """By the hosts that it will list, as far as any are known."""
    with_rows, without = (GetJobInstanceStatus(ref=JOB, return_ip_result=rows) for rows in (True, False))
    whole, counts, failed, running = (
        GetStepInstanceStatus(ref=STEP, max_host_num_per_group=limit, status=code)
        for limit, code in ((None, None), (1, None), (None, 11), (None, 7))
    )

    def worth(hosts: int, capabilities: Capabilities = GATEWAY) -> list[bool | None]:
        state = job_state(JOB)
        rows = [host(n, 11 if n <= 10 else 7) for n in range(1, hosts + 1)]
        apply_job(state, job(2, step(2, rows)), at(0))
        requests = (with_rows, without, whole, counts, failed, running)
        return [is_worth_compressing(state, request, capabilities) for request in requests]

    assert worth(0) == [None, False, None, False, None, None]
    assert worth(50) == [False] * 6
    assert worth(500) == [True, False, True, False, False, True]
    assert worth(7000) == [False] * 6
    assert worth(500, ESB)[:2] == [True, True], "its responses list all hosts in any case"


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
    state.poll_failures = replace(
        state.poll_failures, job_rows_refused=3, job_rows_hidden=3, rows_refused_at=0.0
    )
    asked = []
    for now, code in ((0.5, 2), (1, 3), (2, 3), (16.5, 3), (17, 3)):
        apply_job(state, job(code, step(code)), at(now))
        plan_follow_ups(state, GetJobInstanceStatus(ref=JOB), jobv3)
        request = next_request(state, jobv3)
        asked.append(isinstance(request, GetJobInstanceStatus) and request.return_ip_result)
        if asked[-1]:
            state.poll_failures = replace(state.poll_failures, rows_refused_at=now + 0.1)

    assert asked == [False, True, True, False, False]
    assert state.is_over(JOB)
    assert not target_result(state, JOB).steps[0].hosts_visible
