"""One page of a scope's running jobs in place of a question for each of them.

A list proves nothing: it may be stale, cut, or of another moment. It hints. What it shows running may be looked at
later than it would be; what it no longer shows is looked at now. Whatever is told comes from a look at the job itself.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from attrs import frozen

from bkjob_async.engine.job_story import JobStory
from bkjob_async.engine.setbacks import NONE
from bkjob_async.engine.step_standing import RUNNING
from bkjob_async.model.answers import JobInstancePage
from bkjob_async.model.grade import Grade
from bkjob_async.model.questions import GetJobInstanceList
from bkjob_async.model.refs import Scope

# So many running jobs are worth a list; a page of more would take too long to read in one go.
FEWEST = 20
PAGE = 200
# The platform begins no page behind this, and lists no longer span.
LAST_START = 1000
LONGEST_SPAN = timedelta(days=29)

# A round of pages begins so many seconds after the one before, or as many as that had pages.
SHORTEST_ROUND, SECONDS_A_PAGE = 2.0, 1.0
# However often a job is listed, it is looked at itself after so many seconds.
LONGEST_UNSEEN = 60.0

# A page of which a smaller share are jobs that are watched here is the last of its round. Where that is so of the whole
# round, nobody asks again for so long, and twice as long the next time.
DENSE = 0.1
PAUSE, LONGEST_PAUSE = 60.0, 3600.0


@frozen
class Hints:
    """What a page says: these jobs are *still* running, those may have *moved*."""

    still: Collection[JobStory] = ()
    moved: Collection[JobStory] = ()


class Sweep:
    """The running jobs of one *scope* of which only the end is wanted, by their ids."""

    __slots__ = (
        "_first",
        "_hinted",
        "_last",
        "_listed",
        "_pages",
        "_pause",
        "_shown",
        "_start",
        "paused_until",
        "running",
        "scope",
    )

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.running: dict[int, JobStory] = {}
        self.paused_until = 0.0
        self._pause = PAUSE
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._start = self._shown = 0
        self._pages = 1
        self._listed: set[int] = set()
        self._hinted: set[int] = set()

    def note(self, story: JobStory) -> None:
        """Take note of how a job stands after a look at it."""
        number = story.ref.job_instance_id
        created = story.times.create_time if number not in self.running and is_swept(story) else None
        if created is not None and self._takes_in(created):
            self.running[number] = story
        elif number in self.running and not is_swept(story):
            self.forget(story)

    def forget(self, story: JobStory) -> None:
        """Let go of a job."""
        self.running.pop(story.ref.job_instance_id, None)
        self._hinted.discard(story.ref.job_instance_id)
        if not self.running:
            self._first = self._last = None

    def _takes_in(self, created: datetime) -> bool:
        """Whether a list can reach back to when a job was created, and forward to the newest."""
        first, last = min(self._first or created, created), max(self._last or created, created)
        if last - first > LONGEST_SPAN:
            return False
        self._first, self._last = first, last
        return True

    def pays(self, now: float) -> bool:
        """Whether a list is worth asking for."""
        return len(self.running) >= FEWEST and now >= self.paused_until

    def question(self, length: int) -> GetJobInstanceList | None:
        """Return the next page to ask for, of *length* jobs at most; None when there is no job."""
        if self._first is None or self._last is None:
            return None
        return GetJobInstanceList(
            scope=self.scope,
            create_time_start=self._first,
            create_time_end=self._last + timedelta(seconds=1),
            status=RUNNING,
            start=self._start,
            length=min(length, PAGE),
        )

    def heard(self, page: JobInstancePage, now: float) -> Hints:
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
            return Hints(still)
        # What the last page did not reach is neither here nor there.
        gone = self.running.keys() - self._listed - self._hinted if following is None else set[int]()
        self._hinted |= gone
        if len(self._listed) < DENSE * self._shown:
            self.failed(now)
        else:
            self._pause = PAUSE
            self._begin_round()
        return Hints(still, [self.running[number] for number in gone])

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


def is_swept(story: JobStory) -> bool:
    """Whether a job runs, undisturbed, and all that is wanted of it is its end."""
    return (
        story.grade is Grade.FINISH
        and story.targets == (story.ref,)
        and story.seen == RUNNING
        and not story.finished
        and story.setbacks is NONE
        and not story.pending
        and story.seen_at is not None
        and not story.is_settling(story.seen_at)
    )
