"""What a reader that catches up is told meanwhile."""

from attrs import evolve

from bkjob_async.model.events import Batch, InSync, JobChanged
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.model.status import run_status
from bkjob_async.watch.backlog import Backlog

FIRST, SECOND = (JobRef(Scope.biz(2), number) for number in (100, 101))


def running(job: JobRef) -> JobChanged:
    """Return the news that a job runs."""
    return JobChanged(ref=job, before=None, after=run_status(2), is_finished=False, cursor="9")


def test_news_of_what_was_caught_up_with_comes_at_once() -> None:
    """The others wait for their turn, and keep the cursor from before it."""
    backlog = Backlog(dict.fromkeys((FIRST, SECOND)), 3, "3", since=4)
    backlog.pop()

    told = backlog.news_of(Batch(9, (running(FIRST), running(SECOND), InSync(cursor="9")), "9"))

    assert told is not None
    assert list(told.events) == [running(FIRST)]
    assert [event.cursor for event in told.events] == ["3"]
    assert backlog.news_of(Batch(10, (running(SECOND),), "10")) is None
    assert backlog.news_of(Batch(11, (evolve(running(FIRST), skipped=True),), "11")) is not None
