"""Answers of a database that lags behind, and answers that contradict themselves."""

from __future__ import annotations

from bkjob_async.engine.group_polling.group_round import changed_statuses, count_groups
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView
from tests.engine.looks import JOB, host, job, step
from tests.engine.tracking.test_job_tracker import STEP, story_of, tell


def test_an_answer_from_before_a_retry_says_nothing_of_the_job_either() -> None:
    """A step of an earlier execution shows that the whole answer is old: the job's end in it, and its other steps."""
    story = story_of()
    tell(story, 0, job(4, step(4, [host(1, 104)]), step(1, number=201), finished=True))
    tell(story, 5, job(2, step(2, [host(1, 7)], run=1), step(1, number=201), finished=False))
    old = job(4, step(4, [host(1, 104)]), step(14, number=201), finished=True)

    assert [tell(story, now, old) for now in range(6, 60, 5)] == [[]] * 11
    assert not story.is_over(JOB)
    assert story.result(JOB).status.code == 2
    assert story.result(JOB).steps[1].status.code == 1

    ended = tell(
        story, 60, job(3, step(3, [host(1, 9)], run=1), step(3, [host(2, 9)], number=201), finished=True)
    )
    assert ended[:1] == ["host 1 7>9"]
    assert ended[-2:] == ["job 3.", "finished 2:100"]


def test_an_old_answer_is_no_failed_poll() -> None:
    """The platform answered, so what was wrong before is right again; but nothing was seen of the job."""
    story = story_of()
    tell(story, 0, job(2, step(2, [host(1, 7)], run=1)))
    story.count_not_found(JOB)

    tell(story, 1, job(2, step(2, [host(1, 7)])))

    assert story.seen_at == 0
    assert story.count_not_found(JOB) == 1


def test_an_old_answer_about_a_step_says_nothing() -> None:
    """Neither a status nor hosts of the execution before."""
    story = story_of(STEP)
    tell(story, 0, step(2, [host(1, 7)], run=2))

    assert tell(story, 1, step(4, [host(1, 104), host(2, 9)], run=1)) == []
    assert tell(story, 2, step(2, [host(1, 7)], run=2)) == []
    assert tell(story, 3, step(3, [host(1, 9)], run=2))[0] == "host 1 7>9"


def test_a_step_that_is_listed_twice_is_told_once() -> None:
    """The first line speaks; a second one that says otherwise would have the step reopened at each look."""
    story = story_of()
    twice = job(2, step(3, [host(1, 9)]), step(2, [host(1, 7)]), step(2, number=201))

    assert tell(story, 0, twice) == ["job 2", "host 1 None>9", "step #0 3.", "step #0 2"]
    assert [tell(story, now, twice) for now in range(1, 5)] == [[]] * 4


def test_a_step_that_vanishes_from_an_answer_stays_as_it_was() -> None:
    """Absence is no news, and does not keep the job from its end."""
    story = story_of()
    tell(story, 0, job(2, step(3, [host(1, 9)]), step(2, [host(2, 7)], number=201)))

    assert tell(story, 1, job(2, step(3, [host(1, 9)]))) == []
    assert tell(story, 2, job(3, step(3, [host(1, 9)]), finished=True)) == []
    assert tell(story, 60, job(3, step(3, [host(1, 9)]), finished=True)) == ["job 3.", "finished 2:100"]


def test_sizes_below_nothing_are_none() -> None:
    """Counts that make no sense prove nothing, though they add up."""
    table = HostTable()
    rows = [host(n, 7) for n in range(1, 101)]
    table.apply([GroupPollView(status=7, size=100, rows=rows)], 1)
    counts = [GroupPollView(status=7, size=-1), GroupPollView(status=9, size=101)]

    assert count_groups(counts) == {}
    assert changed_statuses(table, count_groups(counts)) is None
