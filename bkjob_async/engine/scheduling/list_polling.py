"""Poll the list of a scope's running jobs instead of each of them.

A list is only a hint: it may be stale or cut. A job that it shows as running may be polled later; a job that
it no longer shows is polled at once. Events come from polls of the job itself only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from msgspec import Struct, field

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.poll_state import NO_FAILURES
from bkjob_async.engine.tracking.run_state import RUNNING
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.operations.responses import JobInstance, Page
from bkjob_async.model.refs import Scope

# A list is requested for at least so many running jobs; a page of more would block the event loop for too
# long.
FEWEST = 20
PAGE = 200
# The platform has no page that starts later, and no longer time span. No more jobs are recorded than the
# pages can list.
LAST_START = 1000
LONGEST_SPAN = timedelta(days=29)
MOST = 4000

# A round of pages begins at least so many seconds after the last one, and so many seconds for each page of
# that one.
SHORTEST_ROUND, SECONDS_A_PAGE = 2.0, 1.0
# A job is polled itself after so many seconds, even if it is listed.
LONGEST_UNSEEN = 60.0

# A page with a smaller share of watched jobs is the last of its round. A round with a smaller share is
# followed by a pause, which doubles each time.
DENSE = 0.1
PAUSE, LONGEST_PAUSE = 60.0, 3600.0


S = TypeVar("S", bound=JobState)


class ListHints(Struct, Generic[S], frozen=True):
    """What a page shows: the jobs in *still_running*, and those that may be over."""

    still_running: Sequence[S] = ()
    maybe_finished: Sequence[S] = ()


class ListPoller(Struct, Generic[S], eq=False):
    """The running jobs of one *scope* of which only the end matters, by their ids; `_created` is when each was."""

    scope: Scope
    running: dict[int, S] = field(default_factory=dict)
    due: float | None = None
    urgent: bool | None = None
    paused_until: float = 0.0
    _pause: float = PAUSE
    _created: dict[int, datetime] = field(default_factory=dict)
    _start: int = 0
    _shown: int = 0
    _pages: int = 1
    _listed: set[int] = field(default_factory=set)
    _hinted: set[int] = field(default_factory=set)

    def note(self, job: S) -> None:
        """Record the state of a job after a poll."""
        number = job.ref.job_instance_id
        if not is_list_pollable(job):
            self.forget(job)
        elif number not in self.running and len(self.running) < MOST:
            created = job.times.create_time
            if created is not None:
                self.running[number], self._created[number] = job, created

    def forget(self, job: S) -> None:
        """Remove a job."""
        number = job.ref.job_instance_id
        if self.running.get(number) is job:
            del self.running[number], self._created[number]
            self._hinted.discard(number)

    def is_worthwhile(self, now: float) -> bool:
        """Return True when a list is worth its requests."""
        return len(self.running) >= FEWEST and now >= self.paused_until

    def next_request(self, length: int) -> GetJobInstanceList | None:
        """Return the request for the next page, of *length* jobs at most; None when there is no job."""
        if not self._created:
            return None
        last = max(self._created.values())
        return GetJobInstanceList(
            scope=self.scope,
            create_time_start=max(min(self._created.values()), last - LONGEST_SPAN),
            create_time_end=last + timedelta(seconds=1),
            status=RUNNING,
            start=self._start,
            length=min(length, PAGE),
        )

    def on_page(self, page: Page[JobInstance], now: float) -> ListHints[S]:
        """Apply a page; return what it shows."""
        ours = {item.ref.job_instance_id for item in page.items if item.status.code == RUNNING}
        ours &= self.running.keys()
        self._listed |= ours
        self._hinted -= ours
        self._shown += len(page.items)
        following, still = page.next_start, [self.running[number] for number in ours]
        is_dense = len(ours) >= DENSE * len(page.items)
        if following is not None and following <= LAST_START and is_dense:
            self._start = following
            return ListHints(still)
        # Nothing is known of jobs that the pages did not reach.
        gone = self.running.keys() - self._listed - self._hinted if following is None else set[int]()
        self._hinted |= gone
        if len(self._listed) < DENSE * self._shown:
            self.failed(now)
        else:
            self._pause = PAUSE
            self._begin_round()
        return ListHints(still, [self.running[number] for number in gone])

    def failed(self, now: float) -> None:
        """Pause after a page that failed or was not worth its request."""
        self.paused_until = now + self._pause
        self._pause = min(LONGEST_PAUSE, 2.0 * self._pause)
        self._begin_round()

    def _begin_round(self) -> None:
        self._pages = 1 + self._start // PAGE
        self._start = self._shown = 0
        self._listed.clear()

    @property
    def interval(self) -> float:
        """The seconds from one round to the next, by the pages that the last one had."""
        return max(SHORTEST_ROUND, SECONDS_A_PAGE * self._pages)

    def next_wait(self) -> float:
        """Return the seconds until the next page: none within a round."""
        return 0.0 if self._start else self.interval

    def next_listing_by(self, now: float) -> float:
        """Return the time by which a job that was listed at *now* should be listed again."""
        return now + 1.5 * self.interval + 1.0


def is_list_pollable(job: JobState) -> bool:
    """Return True for a running job without failures or pending requests, of which only the end matters."""
    return (
        job.detail_level is DetailLevel.END_ONLY
        and job.is_target
        and not job.target_steps
        and job.status_code == RUNNING
        and not job.announced.finished
        and job.poll_failures is NO_FAILURES
        and not job.pending
        and job.seen_at is not None
        and not job.is_settling()
    )
