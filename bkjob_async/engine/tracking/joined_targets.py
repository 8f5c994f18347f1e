"""Which news of a job one watch is told: of targets that it follows, has just joined, or has lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from attrs import evolve

from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy, LazyHostEvents
from bkjob_async.engine.tracking.job_tracker import JobTracker
from bkjob_async.model.events import (
    Event,
    Finished,
    HostChanged,
    HostCounts,
    Lost,
    Recovered,
    Reopened,
    StepChanged,
    Trouble,
)
from bkjob_async.model.refs import Ref

# What happens within a followed job is told without its steps being targets by themselves.
WITHIN = LazyHostEvents | HostChanged | HostCounts | StepChanged | Reopened

# In place of the round that a target waits for: it was read.
READ = 0


class Following:
    """What one watch was told of its targets, where that is not simply all since they were first asked about.

    A target whose job was asked about before is joined: it is read once more, by a round of questions that began after
    that, and only then its present is told, and from then on its news. Until then at most trouble is told of it, or
    that it is lost. A target stays lost for a watch, even where another one joins it and it can be read again.
    """

    __slots__ = ("_joining", "_lost", "_told_at", "_troubled")

    def __init__(self) -> None:
        # The round of questions that each joined target waits for.
        self._joining: dict[Ref, int] = {}
        self._troubled: set[Ref] = set()
        # The batches in which the present of joined targets was told, and those that were lost.
        self._told_at: dict[Ref, int] = {}
        self._lost: dict[Ref, tuple[int, Lost]] = {}

    def join(self, ref: Ref, number: int) -> None:
        """Wait for the round *number* of questions about the job of *ref*."""
        self._joining[ref] = number

    def forget(self, ref: Ref) -> None:
        """Take note that *ref* is watched no longer."""
        self._joining.pop(ref, None)
        self._troubled.discard(ref)
        self._told_at.pop(ref, None)
        self._lost.pop(ref, None)

    def is_joining(self, ref: Ref) -> bool:
        """Whether the present of *ref* is still to be told."""
        return ref in self._joining

    def is_known(self, ref: Ref) -> bool:
        """Whether it was told of *ref* where it stands, or that this cannot be seen."""
        return ref not in self._joining or ref in self._troubled

    def is_lost(self, ref: Ref) -> bool:
        """Whether it was told that *ref* is lost."""
        return ref in self._lost

    def awaits(self, refs: Iterable[Ref]) -> bool:
        """Whether any of *refs* is still to be read."""
        joining = self._joining
        return bool(joining) and any(joining.get(ref, READ) != READ for ref in refs)

    # News -----------------------------------------------------------------------------------------------------------

    def select(
        self,
        story: JobTracker,
        refs: Collection[Ref],
        events: Sequence[EventOrLazy],
        at: PollStamp,
        number: int,
    ) -> tuple[list[EventOrLazy], list[Event]]:
        """Return what to tell of *events*; and what this watch alone is told, of targets whose present can be told by now.

        *refs* are the targets that belong to the job of *story*; *number* is the last round of questions about it that
        was answered whole.
        """
        if self._joining or self._lost:
            return self._select_apart(story, refs, events, at, number)
        mine = [event for event in events if is_about(event, refs, story.ref)]
        return self._without_losses(story, mine, at) if any(isinstance(e, Lost) for e in mine) else mine, []

    def _select_apart(
        self,
        story: JobTracker,
        refs: Collection[Ref],
        events: Sequence[EventOrLazy],
        at: PollStamp,
        number: int,
    ) -> tuple[list[EventOrLazy], list[Event]]:
        """Return what to tell where some targets of the watch have just joined, or are lost."""
        followed = {ref for ref in refs if ref not in self._joining and ref not in self._lost}
        joined = self._joined(story, refs, at, number)
        # The steps of a followed job were told with it; what is new is how they ended.
        parts = [ref for ref in joined if story.ref in followed and ref != story.ref]
        others = [ref for ref in joined if ref not in parts]
        followed.update(parts)
        mine = [
            event
            for event in events
            # Trouble is over for those only that were told of it: not for what joins just now.
            if (
                is_about(event, followed, story.ref)
                and not (isinstance(event, Recovered) and event.ref in parts)
            )
            or self._is_signal(event)
        ]
        ended = {event.ref for event in events if isinstance(event, Finished)}
        own: list[Event] = [
            story.end_of(ref, at.cursor) for ref in parts if story.has_finished(ref) and ref not in ended
        ]
        # A job of which something was lost here, and what else belongs to that, may have been told in part.
        is_known = any(ref in self._lost for ref in refs)
        own += story.present(others, at.cursor, skipped=is_known, known=followed)
        own += self._troubles(story, refs, at)
        return self._without_losses(story, mine, at), own

    def _joined(self, story: JobTracker, refs: Collection[Ref], at: PollStamp, number: int) -> list[Ref]:
        """Return the joined targets whose present can be told now; they are followed from here on."""
        joined: list[Ref] = []
        for ref in refs:
            wanted = self._joining.get(ref)
            if wanted is None:
                continue
            if wanted <= number:
                self._joining[ref] = wanted = READ
            if wanted == READ and story.is_shown(ref, at.now):
                joined.append(ref)
        for ref in joined:
            del self._joining[ref]
            self._told_at[ref] = at.sequence
        return joined

    def _is_signal(self, event: EventOrLazy) -> bool:
        """Whether *event* is trouble of a joined target, or the end of a trouble that was told, or that it is lost."""
        match event:
            case Trouble(ref=ref) if ref in self._joining and ref not in self._troubled:
                self._troubled.add(ref)
                return True
            case Recovered(ref=ref) if ref in self._troubled:
                self._troubled.discard(ref)
                return True
            case Lost(ref=ref):
                return ref in self._joining
            case _:
                return False

    def _troubles(self, story: JobTracker, refs: Collection[Ref], at: PollStamp) -> Iterator[Event]:
        """Yield the trouble of joined targets that was told to others before."""
        for ref, trouble in story.poll_failures.troubled.items():
            if ref in refs and ref in self._joining and ref not in self._troubled:
                self._troubled.add(ref)
                yield evolve(trouble, cursor=at.cursor, index=0)

    def _without_losses(
        self, story: JobTracker, events: Sequence[EventOrLazy], at: PollStamp
    ) -> list[EventOrLazy]:
        """Return *events* without losses of what is over anyway, taking note of the others."""
        kept: list[EventOrLazy] = []
        for event in events:
            if isinstance(event, Lost):
                ref = event.ref
                if ref not in self._joining and story.has_finished(ref):
                    continue
                self._joining.pop(ref, None)
                self._lost[ref] = (at.sequence, event)
            kept.append(event)
        return kept

    # The present ----------------------------------------------------------------------------------------------------

    def present(
        self, story: JobTracker, refs: Collection[Ref], cursor: str, since: int, *, skipped: bool
    ) -> Iterator[Event]:
        """Yield where *refs* stand, for a reader that missed what was told in batch *since* and later.

        *skipped*: it had something of the stream before.
        """
        told = [
            ref for ref in refs if ref not in self._joining and (ref not in self._lost or ref in story.lost)
        ]
        joined = [ref for ref in told if self._told_at.get(ref, -1) >= since]
        others = [ref for ref in told if ref not in joined] if joined else told
        yield from story.present(others, cursor, since=since, skipped=skipped)
        if joined:
            # It had nothing of these, unless it comes from before this watch.
            yield from story.present(joined, cursor, skipped=skipped and not since, known=others)
        for ref in refs:
            sequence, lost = self._lost.get(ref, (0, None))
            if lost is not None and sequence >= since:
                yield evolve(lost, cursor=cursor, index=0)


def is_about(event: EventOrLazy, refs: Collection[Ref], job: Ref) -> bool:
    """Whether *event* concerns one of *refs*; what moves within a watched step or job does."""
    return event.ref is None or event.ref in refs or (job in refs and isinstance(event, WITHIN))
