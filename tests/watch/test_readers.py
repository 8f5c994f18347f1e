"""What a reader with a backlog is given."""

from attrs import evolve

from bkjob_async.engine.stream.cursor import CursorPosition
from bkjob_async.model.events import Batch, InSync, JobChanged
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.model.status import run_status
from bkjob_async.watch.readers import Backlog, Position

FIRST, SECOND = (JobRef(Scope.biz(2), number) for number in (100, 101))


def running(job: JobRef) -> JobChanged:
    """Return the event that a job runs."""
    return JobChanged(ref=job, before=None, after=run_status(2), is_finished=False, cursor="9")


def test_events_of_jobs_that_were_caught_up_with_come_at_once() -> None:
    """The others wait for their turn, and keep the cursor from before it."""
    backlog = Backlog(dict.fromkeys((FIRST, SECOND)), Position(CursorPosition(3, None), "3"), since=4)
    backlog.pop()

    current = backlog.current_part_of(Batch(9, (running(FIRST), running(SECOND), InSync(cursor="9")), "9"))

    assert current is not None
    assert list(current.events) == [running(FIRST)]
    assert [event.cursor for event in current.events] == ["3"]
    assert backlog.current_part_of(Batch(10, (running(SECOND),), "10")) is None
    assert backlog.current_part_of(Batch(11, (evolve(running(FIRST), skipped=True),), "11")) is not None
