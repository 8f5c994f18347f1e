"""The requests for a list, and what its pages show."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from bkjob_async.engine.scheduling.list_polling import LONGEST_SPAN, PAGE, PAUSE, ListPoller
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.operations.responses import JobInstance, Page
from bkjob_async.model.refs import JobRef, Scope
from bkjob_async.model.snapshot import Times
from bkjob_async.model.status import run_status
from tests.engine.applied import apply_job
from tests.engine.poll_views import at, job, step

SCOPE = Scope.biz(2)
START = datetime(2026, 1, 1, tzinfo=UTC)


def running(number: int, created: datetime = START) -> JobState:
    """Return a running job of which only the end matters."""
    state = JobState(JobRef(SCOPE, number))
    state.add_target(state.ref)
    state.detail_level = DetailLevel.END_ONLY
    apply_job(state, replace(job(2, step(2)), times=Times(create_time=created)), at(0))
    return state


def list_poller_of(*stories: JobState) -> ListPoller[JobState]:
    """Return a list poller with these jobs."""
    poller: ListPoller[JobState] = ListPoller(SCOPE)
    for state in stories:
        poller.note(state)
    return poller


def asked(poller: ListPoller[JobState]) -> GetJobInstanceList:
    """Return the next page that is requested."""
    question = poller.next_request(1000)
    assert question is not None
    return question


def page(*numbers: int, start: int = 0, total: int | None = None, code: int = 2) -> Page[JobInstance]:
    """Return a page that lists these jobs."""
    items = tuple(JobInstance(ref=JobRef(SCOPE, number), status=run_status(code)) for number in numbers)
    return Page(items=items, start=start, length=PAGE, total=len(items) if total is None else total)


def test_a_list_reaches_from_the_oldest_running_job_to_the_newest() -> None:
    """However long jobs start and end: the list does not include those that are over."""
    stories = [running(n, START + timedelta(days=n)) for n in range(1, 60)]
    poller = list_poller_of(*stories[:3])
    assert asked(poller).create_time_start == START + timedelta(days=1)
    for old, new in zip(stories, stories[3:], strict=False):
        poller.note(new)
        poller.forget(old)

    assert asked(poller).create_time_start == START + timedelta(days=57)
    assert asked(poller).create_time_end == START + timedelta(days=59, seconds=1)


def test_a_list_reaches_back_no_further_than_the_platform_allows() -> None:
    """Older jobs are polled as if there were no list."""
    poller = list_poller_of(running(1), running(2, START + timedelta(days=300)))

    assert asked(poller).create_time_start == START + timedelta(days=300) - LONGEST_SPAN


def test_a_job_that_does_not_run_any_more_is_not_listed() -> None:
    """Its own polls show that before any list."""
    state = running(1)
    poller = list_poller_of(state, running(2))
    apply_job(state, job(3, step(3)), at(1))
    poller.note(state)

    assert list(poller.running) == [2]


def test_jobs_that_a_whole_list_leaves_out_are_hinted_at_once() -> None:
    """And again only after it was listed meanwhile; jobs that a cut list leaves out are no hint."""
    first, second = running(1), running(2)
    poller = list_poller_of(first, second)

    assert poller.on_page(page(1, 2), 0.0).maybe_finished == []
    assert poller.on_page(page(1, 90, 91, total=5000, start=1000), 1.0).maybe_finished == []
    assert poller.on_page(page(1), 2.0).maybe_finished == [second]
    assert poller.on_page(page(1), 3.0).maybe_finished == []
    assert poller.on_page(page(1, 2), 4.0).maybe_finished == []
    assert poller.on_page(page(2, code=3), 5.0).maybe_finished == [first, second]


def test_a_round_is_all_pages_that_are_dense() -> None:
    """The next page comes at once; one that is full of others is the last."""
    poller = list_poller_of(*(running(number) for number in range(1, 401)))

    assert list(poller.on_page(page(*range(1, 201), total=600), 0.0).maybe_finished) == []
    assert (asked(poller).start, poller.next_wait()) == (200, 0.0)
    poller.on_page(page(*range(201, 401), start=200, total=600), 0.0)
    assert asked(poller).start == 400
    poller.on_page(page(*range(9001, 9201), start=400, total=600), 0.0)
    assert asked(poller).start == 0
    assert poller.next_wait() > 0.0


def test_a_list_of_other_peoples_jobs_is_left_for_longer_each_time() -> None:
    """Until one is worthwhile again."""
    poller = list_poller_of(*(running(number) for number in range(1, 31)))
    others = page(*range(9001, 9201), total=5000)

    poller.on_page(others, 0.0)
    assert (poller.is_worthwhile(PAUSE - 1.0), poller.is_worthwhile(PAUSE)) == (False, True)
    poller.on_page(others, PAUSE)
    assert (poller.is_worthwhile(3 * PAUSE - 1.0), poller.is_worthwhile(3 * PAUSE)) == (False, True)
    poller.on_page(page(*range(1, 31)), 3 * PAUSE)
    poller.on_page(others, 200.0)
    assert poller.is_worthwhile(200.0 + PAUSE)
