"""One page of a scope's running jobs in place of a question for each of them.

A list proves nothing: it may be stale, cut, or of another moment. It hints. What it shows running may be looked at
later than it would be; what it no longer shows is looked at now. Whatever is told comes from a look at the job itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from attrs import frozen

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.poll_state import NO_FAILURES
from bkjob_async.engine.tracking.step_state import RUNNING
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.operations.responses import JobInstance, Page
from bkjob_async.model.refs import Scope

# So many running jobs are worth a list; a page of more would take too long to read in one go.
FEWEST = 20
PAGE = 200
# The platform begins no page behind this, and lists no longer span. No more jobs are kept in mind than lists may reach.
LAST_START = 1000
LONGEST_SPAN = timedelta(days=29)
MOST = 4000

# A round of pages begins so many seconds after the one before, or as many as that had pages.
SHORTEST_ROUND, SECONDS_A_PAGE = 2.0, 1.0
# However often a job is listed, it is looked at itself after so many seconds.
LONGEST_UNSEEN = 60.0

# A page of which a smaller share are jobs that are watched here is the last of its round. Where that is so of the whole
# round, nobody asks again for so long, and twice as long the next time.
DENSE = 0.1
PAUSE, LONGEST_PAUSE = 60.0, 3600.0


S = TypeVar("S", bound=JobState)


@frozen
class ListHints(Generic[S]):
    """What a page says: the jobs in *still_running*, and those that may be over."""

    still_running: Sequence[S] = ()
    maybe_finished: Sequence[S] = ()


class ListPoller(Generic[S]):
    """The running jobs of one *scope* of which only the end is wanted, by their ids."""

    __slots__ = (
        "_created",
        "_hinted",
        "_listed",
        "_pages",
        "_pause",
        "_shown",
        "_start",
        "due",
        "paused_until",
        "running",
        "scope",
        "urgent",
    )

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.running: dict[int, S] = {}
        self.due: float | None = None
        self.urgent: bool | None = None
        self.paused_until = 0.0
        self._pause = PAUSE
        self._created: dict[int, datetime] = {}
        self._start = self._shown = 0
        self._pages = 1
        self._listed: set[int] = set()
        self._hinted: set[int] = set()

    def note(self, job: S) -> None:
        """Take note of how a job stands after a look at it."""
        number = job.ref.job_instance_id
        if not is_list_pollable(job):
            self.forget(job)
        elif number not in self.running and len(self.running) < MOST:
            created = job.times.create_time
            if created is not None:
                self.running[number], self._created[number] = job, created

    def forget(self, job: S) -> None:
        """Let go of a job."""
        number = job.ref.job_instance_id
        if self.running.get(number) is job:
            del self.running[number], self._created[number]
            self._hinted.discard(number)

    def is_worthwhile(self, now: float) -> bool:
        """Whether a list is worth asking for."""
        return len(self.running) >= FEWEST and now >= self.paused_until

    def question(self, length: int) -> GetJobInstanceList | None:
        """Return the next page to ask for, of *length* jobs at most; None when there is no job."""
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
        """Take in a page; return what it hints at."""
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
        # What the last page did not reach is neither here nor there.
        gone = self.running.keys() - self._listed - self._hinted if following is None else set[int]()
        self._hinted |= gone
        if len(self._listed) < DENSE * self._shown:
            self.failed(now)
        else:
            self._pause = PAUSE
            self._begin_round()
        return ListHints(still, [self.running[number] for number in gone])

    def failed(self, now: float) -> None:
        """Take note that a page could not be had, or was not worth it."""
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

    def next_word(self, now: float) -> float:
        """Return until when a job that was listed just now should have been listed again."""
        return now + 1.5 * self.interval + 1.0


def is_list_pollable(job: JobState) -> bool:
    """Whether a job runs, undisturbed, and all that is wanted of it is its end."""
    return (
        job.detail_level is DetailLevel.END_ONLY
        and job.is_target
        and not job.target_steps
        and job.status_code == RUNNING
        and not job.finished
        and job.poll_failures is NO_FAILURES
        and not job.pending
        and job.seen_at is not None
        and not job.is_settling(job.seen_at)
    )
