"""Responses of a database replica that lags behind, and contradictory responses."""

from __future__ import annotations

from bkjob_async.engine.tracking.error_policy import count_not_found
from bkjob_async.engine.tracking.job_views import target_result
from tests.engine.poll_views import JOB, host, job, step
from tests.engine.responses.test_job_tracker import STEP, apply, job_state


def test_a_response_from_before_a_retry_says_nothing_of_the_job_either() -> None:
    """A step of an earlier execution shows that the whole response is old: the job's end in it, and its other steps."""
    state = job_state()
    apply(state, 0, job(4, step(4, [host(1, 104)]), step(1, number=201), finished=True))
    apply(state, 5, job(2, step(2, [host(1, 7)], run=1), step(1, number=201), finished=False))
    old = job(4, step(4, [host(1, 104)]), step(14, number=201), finished=True)

    assert [apply(state, now, old) for now in range(6, 36, 5)] == [[]] * 6
    assert not state.is_over(JOB)
    assert target_result(state, JOB).status.code == 2
    assert target_result(state, JOB).steps[1].status.code == 1

    ended = apply(
        state, 60, job(3, step(3, [host(1, 9)], run=1), step(3, [host(2, 9)], number=201), finished=True)
    )
    assert ended[:1] == ["host 1 7>9"]
    assert ended[-2:] == ["job 3.", "finished 2:100"]


def test_an_old_answer_is_no_failed_poll() -> None:
    """The platform responded, so what was wrong before is right again; but nothing was seen of the job."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7)], run=1)))
    count_not_found(state, JOB)

    apply(state, 1, job(2, step(2, [host(1, 7)])))

    assert state.seen_at == 0
    assert count_not_found(state, JOB) == 1


def test_an_old_answer_about_a_step_says_nothing() -> None:
    """Neither a status nor hosts of the execution before."""
    state = job_state(STEP)
    apply(state, 0, step(2, [host(1, 7)], run=2))

    assert apply(state, 1, step(4, [host(1, 104), host(2, 9)], run=1)) == []
    assert apply(state, 2, step(2, [host(1, 7)], run=2)) == []
    assert apply(state, 3, step(3, [host(1, 9)], run=2))[0] == "host 1 7>9"


def test_a_step_that_is_listed_twice_is_shown_once() -> None:
    """The first entry counts; a second one that differs would have the step reopened at each poll."""
    state = job_state()
    twice = job(2, step(3, [host(1, 9)]), step(2, [host(1, 7)]), step(2, number=201))

    assert apply(state, 0, twice) == ["job 2", "host 1 None>9", "step #0 3.", "step #0 2"]
    assert [apply(state, now, twice) for now in range(1, 5)] == [[]] * 4


def test_a_step_that_vanishes_from_a_response_stays_as_it_was() -> None:
    """Absence is no change, and does not keep the job from its end."""
    state = job_state()
    apply(state, 0, job(2, step(3, [host(1, 9)]), step(2, [host(2, 7)], number=201)))

    assert apply(state, 1, job(2, step(3, [host(1, 9)]))) == []
    assert apply(state, 2, job(3, step(3, [host(1, 9)]), finished=True)) == []
    assert apply(state, 60, job(3, step(3, [host(1, 9)]), finished=True)) == ["job 3.", "finished 2:100"]


def test_an_earlier_execution_that_stays_is_believed() -> None:
    """A database restored from a backup never shows the later execution again."""
    state = job_state()
    apply(state, 0, job(3, step(3, [host(1, 9)], run=3), finished=True))
    assert state.is_over(JOB)
    restored = job(2, step(2, [host(1, 7)], run=1), finished=False)

    assert [apply(state, now, restored) for now in range(5, 35, 5)] == [[]] * 6
    assert apply(state, 35, restored) == [
        "reopened 2:100",
        "job 2",
        "reopened 2:100/200",
        "host_counts",
        "step #1 2",
        "host 1 None>7",
    ]
    assert (state.epoch, state.steps[0].epoch) == (1, 1)


def test_an_earlier_execution_of_a_single_step_is_believed() -> None:
    """The step is read by itself, and its job not at all."""
    state = job_state(STEP)
    apply(state, 0, step(2, [host(1, 7)], run=3))
    restored = step(2, [host(1, 7)], run=1)

    assert [apply(state, now, restored) for now in range(5, 35, 5)] == [[]] * 6
    assert apply(state, 35, restored) == ["host_counts", "step #1 2", "host 1 None>7"]
    assert apply(state, 40, restored) == []


def test_a_replica_that_lags_behind_now_and_then_is_never_believed() -> None:
    """A response that shows the known execution begins the bound anew, even if it shows nothing new."""
    state = job_state()
    current = job(2, step(2, [host(1, 7)], run=3))
    outdated = job(4, step(4, [host(1, 104)], run=2), finished=True)
    apply(state, 0, current)

    for now in range(0, 900, 100):
        assert apply(state, now + 10, outdated) == []
        assert apply(state, now + 90, outdated) == []
        assert apply(state, now + 95, current) == []


def test_an_earlier_execution_is_not_believed_by_few_responses_however_far_apart() -> None:
    """Polls may be rare: it takes five responses in a row, and half a minute."""
    state = job_state()
    apply(state, 0, job(2, step(2, [host(1, 7)], run=3)))
    restored = job(2, step(2, [host(1, 7)], run=1))

    assert [apply(state, now, restored) for now in (100, 200, 300, 400)] == [[]] * 4
    assert apply(state, 500, restored) == ["host_counts", "step #1 2", "host 1 None>7"]


def test_a_response_of_another_restored_step_does_not_begin_the_wait_anew() -> None:
    """All steps of a restored job are believed at once, also where only some of them had been retried."""
    state = job_state()
    apply(state, 0, job(2, step(3, [host(1, 9)], run=2), step(2, [host(2, 7)], number=201, run=1)))
    restored = job(2, step(2, [host(1, 7)], run=0), step(1, number=201, run=0))

    assert [apply(state, now, restored) for now in range(5, 35, 5)] == [[]] * 6
    assert apply(state, 35, restored) == [
        "reopened 2:100/200",
        "host_counts",
        "step #0 2",
        "host 1 None>7",
        "host_counts",
        "step #0 1",
    ]
