"""The events of a job: their order, settling, and retries."""

from msgspec.structs import replace

from bkjob_async.engine.responses.job_tracker import expect_change, forget_old_operation
from bkjob_async.engine.tracking.error_policy import lose_target
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import target_result
from bkjob_async.engine.tracking.run_state import announced_state
from bkjob_async.engine.tracking.step_state import SETTLE_BOUND
from bkjob_async.model.events import (
    Event,
    Finished,
    HostChanged,
    JobChanged,
    LostReason,
    Reopened,
    StepChanged,
)
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import Ref
from tests.engine.applied import apply_job, apply_step
from tests.engine.poll_views import JOB, at, host, job, present, step

STEP = JOB.step(200)


def job_state(*targets: Ref, operated_at: float | None = None) -> JobState:
    """Return a state with these targets, the job itself by default."""
    state = JobState(JOB, operated_at=operated_at)
    for ref in targets or (JOB,):
        state.add_target(ref)
    return state


def apply(state: JobState, now: float, view: JobPollView | StepPollView) -> list[str]:
    """Apply a view; return its events as texts."""
    news = (
        apply_job(state, view, at(now)) if isinstance(view, JobPollView) else apply_step(state, view, at(now))
    )
    return [word(event) for event in news]


def word(event: Event) -> str:
    """Return an event as a short text."""
    match event:
        case HostChanged():
            return f"host {event.host.bk_host_id} {event.before.code if event.before else None}>{event.after.code}"
        case StepChanged():
            return f"step #{event.execute_count} {event.after.code}{'.' if event.is_finished else ''}"
        case JobChanged():
            return f"job {event.after.code}{'.' if event.is_finished else ''}"
        case Finished():
            return f"finished {event.ref}"
        case Reopened():
            return f"reopened {event.ref}"
        case _:
            return event.kind


def test_hosts_come_before_the_step_and_the_step_before_the_job() -> None:
    """The events of one response that shows everything over are in the order of causes."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7)])))

    assert apply(state, 1, job(3, step(3, [host(1, 9)]))) == [
        "host 1 7>9",
        "step #0 3.",
        "job 3.",
        "finished 2:100",
    ]


def test_a_final_step_waits_for_its_rows() -> None:
    """Rows lag behind the step: it is not called finished while a host runs."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7)])))

    assert apply(state, 1, job(3, step(3, [host(1, 7)]))) == []
    assert apply(state, 2, job(3, step(3, [host(1, 9)])))[0] == "host 1 7>9"
    assert state.is_over(JOB)


def test_rows_that_never_end_are_waited_for_no_longer_than_the_bound() -> None:
    """After an engine failure rows stay running for ever."""
    state = job_state()
    apply(state, 0, job(9, step(9, [host(1, 7)])))

    assert apply(state, 14, job(9, step(9, [host(1, 7)]))) == []
    assert apply(state, 15, job(9, step(9, [host(1, 7)]))) == ["step #0 9.", "job 9.", "finished 2:100"]
    assert [h.status.code for _, h in target_result(state, JOB).unfinished] == [7]
    assert target_result(state, JOB).failed == ()


def test_skipped_hosts_turn_500_after_the_step_is_final() -> None:
    """The late rows of a skipped step are reported before its end."""
    state = job_state()
    apply(state, 0, job(2, step(10, [host(1, 7)])))
    apply(state, 1, job(2, step(5, [host(1, 7)])))

    assert apply(state, 5, job(2, step(5, [host(1, 500)]))) == ["host 1 7>500", "step #0 5."]


def test_a_row_that_moves_after_the_finish_is_shown_again() -> None:
    """An end that was announced too early is corrected: reopened, changed, finished again."""
    state = job_state()
    apply(state, 0, job(5, step(5, [host(1, 7)])))
    apply(state, 15, job(5, step(5, [host(1, 7)])))
    assert state.is_over(JOB)

    assert apply(state, 20, job(5, step(5, [host(1, 500)]))) == [
        "reopened 2:100",
        "reopened 2:100/200",
        "host 1 7>500",
        "step #0 5.",
        "job 5.",
        "finished 2:100",
    ]
    assert [h.status.code for _, h in target_result(state, JOB).failed] == [500]


def test_an_incomplete_response_does_not_settle_a_step() -> None:
    """Incomplete lists prove nothing about hosts that they leave out."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7), host(2, 7)])))
    apply(state, 1, job(3, step(3, [host(1, 9)], complete=False)))

    assert not state.is_over(JOB)


def test_ignored_error_between_two_batches_is_provisional() -> None:
    """A rolling step shows 6 between batches and continues."""
    state = job_state()
    assert apply(state, 0, job(2, step(6, [host(1, 104)]))) == ["job 2", "host 1 None>104"]
    assert apply(state, 1, job(2, step(15, [host(1, 104)]))) == ["step #0 15"]
    assert apply(state, 2, job(2, step(6, [host(1, 104)]))) == []

    assert apply(state, 18, job(2, step(6, [host(1, 104)]))) == ["step #0 6."]


def test_a_batch_between_two_polls_at_6_is_read_before_the_end_is_reported() -> None:
    """All hosts of the last batch were over, too: their rows say nothing of the next batch."""
    state = job_state(JOB)
    apply(state, 0, job(2, step(6)))
    assert apply(state, 0, step(6, [host(1, 2)])) == ["host 1 None>2"]

    assert apply(state, 2, job(4, step(6))) == []
    assert [tracker.needs_rows for tracker in state.open_steps()] == [True]
    assert apply(state, 2, step(6, [host(1, 2), host(2, 2)])) == [
        "host 2 None>2",
        "step #0 6.",
        "job 4.",
        "finished 2:100",
    ]


def test_ignored_error_is_final_when_the_job_moved_on() -> None:
    """With the next step begun, 6 is no state between batches."""
    state = job_state()

    reported = apply(state, 0, job(2, step(6, [host(1, 104)]), step(2, [host(1, 7)], number=201)))

    assert reported == ["job 2", "host 1 None>104", "step #0 6.", "step #0 2", "host 1 None>7"]


def test_a_retry_starts_over() -> None:
    """A retry reopens job and step; its hosts are new again, under another execute_count."""
    state = job_state()
    apply(state, 0, job(4, step(4, [host(1, 104), host(2, 9)])))
    assert state.is_over(JOB)

    assert apply(state, 5, job(2, step(4, [], run=1))) == [
        "reopened 2:100",
        "job 2",
        "reopened 2:100/200",
        "host_counts",
    ]
    assert apply(state, 6, job(2, step(2, [host(1, 7), host(2, 9)], run=1))) == [
        "step #1 2",
        "host 1 None>7",
        "host 2 None>9",
    ]
    assert apply(state, 7, job(3, step(3, [host(1, 9), host(2, 9)], run=1))) == [
        "host 1 7>9",
        "step #1 3.",
        "job 3.",
        "finished 2:100",
    ]


def test_a_final_status_that_comes_with_a_new_execution_is_provisional() -> None:
    """Right after a retry the step still shows how the last execution ended."""
    state = job_state(STEP)
    apply(state, 0, step(4, [host(1, 104)]))

    assert apply(state, 1, step(4, [host(1, 104)], run=1)) == [
        "reopened 2:100/200",
        "host_counts",
        "host 1 None>104",
    ]
    assert apply(state, 16, step(4, [host(1, 104)], run=1)) == ["step #1 4.", "finished 2:100/200"]


def test_a_response_about_an_earlier_execution_says_nothing() -> None:
    """A replica that lags behind must not restore an earlier state."""
    state = job_state(STEP)
    apply(state, 0, step(2, [host(1, 7)], run=1))

    assert apply(state, 1, step(4, [host(1, 104)], run=0)) == []


def test_an_earlier_status_is_ignored_after_an_operation() -> None:
    """Until it changes or the bound passes, a final status may be the one before."""
    state = job_state(operated_at=0.0)
    apply(state, 1, job(4, step(4, [host(1, 104)])))
    assert not state.is_over(JOB)

    assert apply(state, 2, job(2, step(2, [host(1, 7)], run=1)))[0] == "job 2"
    reported = apply(state, 3, job(3, step(3, [host(1, 9)], run=1)))
    assert reported == ["host 1 7>9", "step #1 3.", "job 3.", "finished 2:100"]
    assert state.is_settled(JOB)


def test_an_operation_that_changed_nothing_settles_after_the_bound() -> None:
    """A status that was final and stays so settles again, without events."""
    state = job_state()
    apply(state, 0, job(3, step(3, [host(1, 9)])))
    expect_change(state, 5.0)

    assert not state.is_settled(JOB)
    assert apply(state, 20, job(3, step(3, [host(1, 9)]))) == []
    assert not state.is_settled(JOB)  # requested too early to show more than what was before
    forget_old_operation(state, requested_at=20)
    assert apply(state, 20.5, job(3, step(3, [host(1, 9)]))) == []
    assert state.is_settled(JOB)


def test_ignoring_an_error_reopens() -> None:
    """A change from one final status to another reopens the step."""
    state = job_state(STEP)
    apply(state, 0, step(4, [host(1, 104)]))

    assert apply(state, 1, step(6, [host(1, 104)])) == ["reopened 2:100/200"]
    assert apply(state, 17, step(6, [host(1, 104)])) == ["step #0 6.", "finished 2:100/200"]


def test_steps_that_never_started_do_not_delay_the_job() -> None:
    """A job that failed at its first step leaves the others unstarted."""
    state = job_state()

    reported = apply(state, 0, job(4, step(4, [host(1, 104)]), step(1, [], number=201)))

    assert reported[-2:] == ["job 4.", "finished 2:100"]


def test_hosts_of_a_step_that_never_began_do_not_reopen_it() -> None:
    """Whichever response lists them: a step whose hosts have a result shows another status soon."""
    state, never_began = job_state(JOB, STEP), step(1, [], number=200)
    apply(state, 0, job(3, never_began))
    apply(state, 60, job(3, never_began))
    assert state.has_finished(STEP)

    for response in (step(1, [host(1, 104)]), job(3, step(1, [host(1, 104)]))):
        assert apply(state, 61, response) == []
    assert apply(state, 62, job(4, step(4, [host(1, 104)])))[:3] == [
        "reopened 2:100",
        "reopened 2:100/200",
        "host 1 None>104",
    ]


def test_an_unknown_job_code_follows_the_flag() -> None:
    """An unknown code is final when the server's flag says so, never by itself."""
    reported = apply(job_state(), 0, job(77, finished=False))
    assert reported == ["job 77"]

    reported = apply(job_state(), 0, job(77, finished=True))
    assert reported == ["job 77.", "finished 2:100"]


def test_an_unknown_step_code_follows_the_jobs_flag() -> None:
    """Without a flag of its own a step with an unknown code ends with its job."""
    state = job_state()
    assert apply(state, 0, job(2, step(77, [host(1, 9)]), finished=False)) == [
        "job 2",
        "step #0 77",
        "host 1 None>9",
    ]

    assert apply(state, 1, job(3, step(77, [host(1, 9)]), finished=True)) == [
        "step #0 77.",
        "job 3.",
        "finished 2:100",
    ]


def test_an_unknown_host_code_is_settled() -> None:
    """It delays nothing, and is neither success nor failure."""
    state = job_state()
    apply(state, 0, job(3, step(3, [host(1, 999)])))

    assert state.is_over(JOB)
    assert [h.status.phase.value for _, h in target_result(state, JOB).failed] == ["UNKNOWN"]


def test_losing_the_job_loses_its_steps() -> None:
    """Every target of a job that cannot be read is lost, once."""
    state = job_state(JOB, STEP)

    lost = lose_target(state, JOB, LostReason.GONE, "archived")
    assert [str(event) for event in lost] == ["2:100 lost: gone", "2:100/200 lost: gone"]
    assert lose_target(state, JOB, LostReason.GONE, "archived") == []


def test_the_present_is_shown_hosts_before_step_before_job() -> None:
    """A watch that joins later is given the present state as new statuses."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7)])))
    apply(state, 1, job(4, step(4, [host(1, 104)])))

    given = present(state, {JOB})

    assert [word(event) for event in given] == ["host 1 None>104", "step #0 4.", "job 4.", "finished 2:100"]
    assert isinstance(given[0], HostChanged)
    assert given[0].exit_code == 104 % 7


def test_a_change_after_an_operation_is_the_new_status() -> None:
    """An ignored error goes from one final status to another, without ever being seen to run."""
    state = job_state()
    apply(state, 0, job(4, step(4, [host(1, 104)]), step(1, [], number=201)))
    expect_change(state, 1.0)

    reported = apply(state, 2, job(2, step(6, [host(1, 104)]), step(2, [host(1, 7)], number=201)))

    assert "step #0 6." in reported
    assert state.step(200).announced.finished


def test_a_job_that_was_just_created_does_not_wait_for_a_user() -> None:
    """A pending job starts by itself soon; only one that stays pending waits for a user."""
    state = job_state()
    state.first_polled_at = 0.0
    apply(state, 0, job(1, step(1, [])))

    assert not state.is_waiting(5.0)
    assert state.is_waiting(60.0)
    apply(state, 61, job(7, step(7, [])))
    assert state.is_waiting(61.0)


def test_rows_that_could_not_be_read_are_waited_for_longer() -> None:
    """When polls for rows fail, the bound for rows that never settle has not begun."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7)])))
    apply(state, 1, job(3, step(3)))

    assert apply(state, 30, job(3, step(3))) == []
    assert apply(state, 31, step(3, [host(1, 9)])) == ["host 1 7>9", "step #0 3.", "job 3.", "finished 2:100"]


def test_the_bound_begins_when_hosts_could_be_read() -> None:
    """Polls failed for long after the end: the doubtful rows of the first response are still read a second time."""
    state = job_state()
    apply(state, 0, job(2, step(2)))
    apply(state, 0.5, step(2, [host(1, 7)]))
    apply(state, 1, job(3, step(3)))

    assert apply(state, 30, step(3, [host(1, 9), host(1, 403)])) == []
    assert apply(state, 31, step(3, [host(1, 9), host(1, 403)]))[:2] == ["host 1 7>403", "step #0 3."]


def test_hosts_that_change_between_two_polls_at_6_show_two_batches() -> None:
    """A rolling step may be polled between batches every time; while hosts change it continues."""
    state = job_state(STEP)
    apply(state, 0, step(6, [host(1, 104), host(2, 5), host(3, 5)]))
    apply(state, 10, step(6, [host(1, 104), host(2, 104), host(3, 5)]))

    assert apply(state, 20, step(6, [host(1, 104), host(2, 104), host(3, 104)])) == ["host 3 5>104"]
    assert apply(state, 21, step(15, [host(1, 104), host(2, 104), host(3, 104)])) == ["step #0 15"]


def test_lists_that_are_short_every_time_are_waited_for_longer() -> None:
    """The bound is for rows that never settle; nothing is known of a row that responses leave out."""
    state = job_state(STEP)
    apply(state, 0, step(2, [host(1, 7), host(2, 7)]))
    for now in range(1, 20):
        assert apply(state, now, step(6, [host(2, 7)], complete=False)) == []

    assert apply(state, 20, step(6, [host(1, 9), host(2, 9)])) == ["host 1 7>9", "host 2 7>9"]
    assert apply(state, 35, step(6, [host(1, 9), host(2, 9)])) == ["step #0 6.", "finished 2:100/200"]


def test_a_response_that_is_not_believed_does_not_begin_the_bound() -> None:
    """A host that was listed twice at first, and once since, was not reported yet: polls may fail in between."""
    state = job_state()
    apply(state, 0, job(2, step(2)))
    apply(state, 1, step(2, [host(1, 9), host(2, 7), host(2, 9)]))
    assert apply(state, 4, step(3, [host(1, 9), host(2, 9)])) == []

    assert apply(state, 30, job(3, step(3))) == []
    assert apply(state, 31, step(3, [host(1, 9), host(2, 9)]))[:2] == ["host 2 None>9", "step #0 3."]


def test_an_execution_whose_hosts_are_not_listed_yet_has_not_settled() -> None:
    """It shows the end before it at first, and no host at all; the step has some."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7)])))
    apply(state, 1, job(4, step(4, [host(1, 104)])))
    apply(state, 2, job(2, step(4, [], run=1)))

    assert apply(state, 3, job(4, step(4, [], run=1))) == []
    assert apply(state, 4, job(4, step(4, [host(1, 104)], run=1)))[-1] == "finished 2:100"


def test_an_execution_that_is_first_seen_without_hosts_has_not_settled() -> None:
    """A retry may just have been made: it shows the end of the execution before, and its hosts only later."""
    state = job_state()

    assert apply(state, 0, job(9, step(9, [], run=1), finished=True)) == []
    assert apply(state, 1, job(2, step(2, [host(1, 7)], run=1)))[:2] == ["job 2", "step #1 2"]


def test_a_step_without_hosts_settles_at_once_where_nothing_can_be_missing() -> None:
    """In its first execution, and in a confirmation."""
    first = job(3, step(3, []), finished=True)
    confirmed = job(3, replace(step(3, [], run=1), type=3), finished=True)

    assert apply(job_state(), 0, first)[-1] == "finished 2:100"
    assert apply(job_state(), 0, confirmed)[-1] == "finished 2:100"


def test_hosts_of_an_execution_are_waited_for_until_the_bound() -> None:
    """Perhaps the step has none."""
    state = job_state()
    view = job(9, step(9, [], run=1), finished=True)

    assert [apply(state, now, view) for now in range(15)] == [[]] * 15
    assert apply(state, 15, view)[-1] == "finished 2:100"


def test_another_final_status_reopens_a_job() -> None:
    """It ran between two polls, and ended otherwise."""
    state = job_state()
    apply(state, 0, job(4))
    assert state.is_settled(JOB)

    assert apply(state, 9, job(3)) == [f"reopened {JOB}", "job 3.", f"finished {JOB}"]


def test_a_job_is_not_over_by_a_status_from_before_its_step_ran_again() -> None:
    """Its final status was seen for long when a response about the step alone shows another execution."""
    state = job_state()
    for now, view in (
        (0, job(2, step(2, [host(1, 7)]))),
        (1, job(11, step(11))),
        (3, step(11, [host(1, 7)])),
    ):
        apply(state, now, view)
    apply(state, 16, job(11, step(11)))

    again = apply(state, 16.5, step(2, [host(1, 5)], run=1))
    assert not any("job" in each or "finished" in each for each in again), again


def test_a_job_that_ran_again_is_over_when_the_hosts_of_its_steps_were_read() -> None:
    """A batch of a rolling step may have come and gone meanwhile, which the status of the step does not show."""
    state = job_state()
    for now in (0, 15):
        apply(state, now, job(4, step(4, [host(1, 104), host(2, 5)])))
    assert state.is_over(JOB)

    assert apply(state, 20, job(2, step(4))) == ["reopened 2:100", "job 2"]
    assert apply(state, 21, job(4, step(4))) == []
    assert apply(state, 22, step(4, [host(1, 104), host(2, 5)])) == ["job 4.", "finished 2:100"]


def test_hosts_that_cannot_be_read_do_not_keep_a_job_that_ran_again_from_being_over() -> None:
    """It is told after the bound, as for steps that settle."""
    state = job_state()
    for now in (0, 15):
        apply(state, now, job(4, step(4, [host(1, 104), host(2, 5)])))
    apply(state, 20, job(2, step(4)))

    assert [apply(state, now, job(4, step(4))) for now in (21, 30, 36)] == [
        [],
        [],
        ["job 4.", "finished 2:100"],
    ]


def test_the_bound_begins_again_with_another_final_status() -> None:
    """A row that the platform left unfinished is waited for from the last change on."""
    state = job_state()
    apply(state, 0, job(4, step(2, [host(1, 7)])))
    apply(state, 10, job(3, step(2, [host(1, 7)])))

    assert "job 3." not in apply(state, 16, job(3, step(2, [host(1, 7)])))
    assert "job 3." in apply(state, 26, job(3, step(2, [host(1, 7)])))


def test_another_final_status_is_not_the_one_before_an_operation() -> None:
    """It is not in doubt any more, though nothing was seen running."""
    state = job_state()
    apply(state, 0, job(4))
    expect_change(state, 5.0)
    assert not state.is_settled(JOB)

    apply(state, 6, job(3))

    assert state.is_settled(JOB)


def test_a_step_that_finished_before_an_operation_is_in_doubt_until_it_is_read_again() -> None:
    """By a response that was requested when the bound had passed; no time that passes is enough."""
    state = job_state(STEP, operated_at=20.0)
    state.step(STEP.step_instance_id).announced = announced_state(4, finished=True)
    doubts = []
    for requested_at in (21.0, 19.9 + SETTLE_BOUND, 20.0 + SETTLE_BOUND):
        state.seen_at = 1000.0
        forget_old_operation(state, requested_at)
        doubts.append(state.has_doubtful_step())

    assert doubts == [True, True, False]


def test_a_job_was_active_when_it_was_last_seen_unfinished_or_changed() -> None:
    """A final status that stays is none of both: an operation after it leaves it in doubt."""
    state = job_state(JOB)
    moments = []
    for now, code in ((1.0, 2), (2.0, 3), (30.0, 3), (60.0, 4), (90.0, 4)):
        apply(state, now, job(code))
        moments.append(state.active_at)

    assert moments[1] in (1.0, 2.0)
    assert moments[2] == moments[1]
    assert moments[3:] == [60.0, 60.0]


def test_a_job_is_up_to_date_when_readers_were_given_all_that_shows() -> None:
    """Not while its own final status settles, or that of a step; nor before it was read."""
    state = job_state(JOB)
    given = [state.is_up_to_date(JOB)]
    apply(state, 1.0, job(2, step(2, [host(1, 7)])))
    given.append(state.is_up_to_date(JOB))
    apply(state, 2.0, job(2, step(3)))  # its rows are still to be read
    given.append(state.is_up_to_date(JOB))
    apply(state, 3.0, job(3, step(3, [host(1, 9)])))
    given.append(state.is_up_to_date(JOB))
    state.settling_since, state.announced = 4.0, announced_state(2, finished=False)
    given.append(state.is_up_to_date(JOB))

    assert given == [False, True, False, True, False]


def test_an_execution_that_was_seen_running_ends_without_delay() -> None:
    """Its first status was final, and may have been from before it; then it ran."""
    state = job_state(STEP)
    rows = [host(1, 9)]
    apply(state, 1.0, step(3, rows))
    apply(state, 2.0, step(3, rows, run=1))
    doubted = not state.has_finished(STEP)
    apply(state, 3.0, step(2, [host(1, 7)], run=1))
    apply(state, 4.0, step(3, rows, run=1))

    assert doubted
    assert state.has_finished(STEP)


def test_a_step_that_vanishes_while_it_settles_is_not_waited_for_without_end() -> None:
    """Its hosts can never be read; the job is over after the bound, with what was seen of the step."""
    state = job_state()
    apply(state, 0.0, job(2, step(4, [host(1, 7), host(2, 104)]), step(2, [host(3, 7)], number=201)))
    left = job(4, step(3, [host(3, 9)], number=201))
    apply(state, 1.0, left)
    apply(state, SETTLE_BOUND - 1.0, left)
    waited = not state.has_finished(JOB)

    assert waited
    assert apply(state, SETTLE_BOUND, left) == ["step #0 4.", "job 4.", "finished 2:100"]
