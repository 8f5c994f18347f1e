"""Who wants to hear of targets, and the stories that are told to them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.refs import JobRef, Ref

# The number of those who want to hear of what nobody watches.
NOBODY = 0


class Subscriber(Protocol):
    """A watch, as the engine sees it: it wants some targets and takes what concerns them."""

    @property
    def detail_level(self) -> DetailLevel:
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
    def expects_callbacks(self) -> bool:
        """Whether callbacks are expected to tell it of ends."""
        ...

    def refs_of(self, job: JobRef) -> Collection[Ref]:
        """Return the targets that belong to *job*."""
        ...

    def awaits(self, job: JobRef) -> bool:
        """Whether *job* is to be read once more before anything is told of it."""
        ...

    def take(self, job: JobRef | None, at: PollStamp, events: Sequence[EventOrLazy]) -> None:
        """Take in news about *job*, or about everything (None)."""
        ...

    def check(self, job: JobRef) -> None:
        """See again which targets of *job* have settled."""
        ...

    def fail(self, error: BaseException) -> None:
        """End, because the engine broke."""
        ...


class PollTarget(JobTracker, eq=False, gc=False):
    """A story that is being told; a key of its own for the supervisor, told by identity.

    *audience* is the number of those who want to hear it: they themselves would lead back to the story.
    """

    audience: int = NOBODY
    due: float | None = None
    urgent: bool | None = None


class Audiences:
    """Who wants to hear of what: all jobs that are wanted by the same subscribers share one number."""

    __slots__ = ("_last", "_members", "_numbers")

    def __init__(self) -> None:
        self._members: dict[int, tuple[Subscriber, ...]] = {NOBODY: ()}
        self._numbers: dict[tuple[Subscriber, ...], int] = {(): NOBODY}
        self._last = NOBODY

    def of(self, story: PollTarget) -> tuple[Subscriber, ...]:
        """Return who wants to hear of a story."""
        return self._members[story.audience]

    def set(self, story: PollTarget, members: tuple[Subscriber, ...]) -> None:
        """Let *members* be those who want to hear of a story."""
        number = self._numbers.get(members)
        if number is None:
            number = self._last = self._last + 1
            self._members[number], self._numbers[members] = members, number
        story.audience = number

    def forget(self, member: Subscriber) -> None:
        """Let go of *member*, who wants to hear of no story any more."""
        for members, number in list(self._numbers.items()):
            if member in members:
                del self._members[number], self._numbers[members]
