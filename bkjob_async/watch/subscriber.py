"""Who wants to hear of targets, and the stories that are told to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from bkjob_async.engine.job_story import JobStory
from bkjob_async.engine.moment import Moment
from bkjob_async.engine.news import News
from bkjob_async.model.grade import Grade
from bkjob_async.model.refs import JobRef, Ref


class Subscriber(Protocol):
    """A watch, as the engine sees it: it wants some targets and takes what concerns them."""

    @property
    def grade(self) -> Grade:
        """How closely hosts are followed."""
        ...

    @property
    def revisit(self) -> float | None:
        """Seconds between looks at what is over, None to look no more."""
        ...

    @property
    def is_in_sync(self) -> bool:
        """Whether it has said of all its targets where they stand: only news concerns it any more."""
        ...

    @property
    def ends_at(self) -> float | None:
        """When it ends whatever is known then, None for never."""
        ...

    @property
    def has_doorbell(self) -> bool:
        """Whether callbacks are expected to tell it of ends."""
        ...

    def refs_of(self, job: JobRef) -> Collection[Ref]:
        """Return the targets that belong to *job*."""
        ...

    def take(self, job: JobRef | None, at: Moment, events: Sequence[News]) -> None:
        """Take in news about *job*, or about everything (None)."""
        ...

    def check(self, job: JobRef) -> None:
        """See again which targets of *job* have settled."""
        ...

    def fail(self, error: BaseException) -> None:
        """End, because the engine broke."""
        ...


class Watched(JobStory):
    """A story that is being told, and to whom; a key of its own in the schedule, told by identity."""

    __slots__ = ("due", "wanted_by")

    def __init__(self, ref: JobRef, *, operated_at: float | None = None) -> None:
        super().__init__(ref, operated_at=operated_at)
        self.wanted_by: tuple[Subscriber, ...] = ()
        self.due: float | None = None
