"""The registry of polled jobs and of the subscribers to their events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Protocol

from msgspec.structs import replace

from bkjob_async.engine.delivery.read_times import ReadTimes
from bkjob_async.engine.stream.cursor import CursorSequence, PollStamp, place
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Event, Recovered, Trouble
from bkjob_async.model.refs import JobRef, Ref

# The number of the empty group of subscribers.
NO_SUBSCRIBERS = 0


class Subscriber(Protocol):
    """A watch, as the poller sees it: it has targets and receives the events that concern them."""

    number: int
    """The number of the watch within its client, from 1."""

    polls: int
    """How many polls of its targets there were so far."""

    @property
    def log_events(self) -> int:
        """How many events its log holds."""
        ...

    @property
    def journal_waiting(self) -> tuple[str, int] | None:
        """The name under which the watch is recorded, and how many of its events are not stored yet; None for nothing."""
        ...

    @property
    def fallen_behind(self) -> int:
        """How often a reader fell so far behind that the newest changes replaced what it missed."""
        ...

    detail_level: DetailLevel
    """How closely hosts are followed."""

    revisit_interval: float | None
    """Seconds between polls of a target that is over, None for no more polls."""

    is_in_sync: bool
    """Whether the present of all its targets was delivered, so that a poll without changes does not concern it."""

    ends_at: float | None
    """When its deadline passes, on the loop's clock; None without one."""

    expects_callbacks: bool
    """Whether callbacks are expected to report ends."""

    @property
    def is_full(self) -> bool:
        """Whether it can take no more events for now, so that its targets must not be polled."""
        ...

    def targets_in(self, job: JobRef) -> Collection[Ref]:
        """Return the targets that belong to *job*."""
        ...

    def awaits(self, job: JobRef) -> bool:
        """Return True while *job* must be read in full before anything of it is delivered."""
        ...

    def on_events(
        self, target: PollTarget, at: PollStamp, events: Sequence[Event], times: ReadTimes | None
    ) -> None:
        """Receive the *events* of one poll of *target*; *times* are those of a job that is read for who joined it."""
        ...

    def on_platform_event(self, at: PollStamp, event: Trouble | Recovered) -> None:
        """Receive an event that concerns all targets."""
        ...

    def wake_readers(self) -> None:
        """Let readers that wait look again whether they have to."""
        ...

    def update_settled(self, target: PollTarget) -> None:
        """Determine again which targets of a job have settled."""
        ...

    def close(self, error: BaseException) -> None:
        """End, because polling has ended with *error*."""
        ...


class PollTarget(JobState, eq=False, gc=False):
    """One job that is polled, compared by identity.

    *group* is the number of its subscribers' group: references to them would form a cycle through the job, which the
    garbage collector does not look for here. *awaited_since* is when a response about it was first awaited: it was added, or
    operated on after it was over. *due* and *urgent* belong to the poll runner.
    """

    group: int = NO_SUBSCRIBERS
    awaited_since: float = 0.0
    due: float | None = None
    urgent: bool | None = None


class TargetRegistry:
    """The jobs that are polled, by ref, each with the group of its subscribers.

    All jobs with the same subscribers share one group, which the job names by a number; `members` has each. `joined` are the
    jobs that are read in full, because a watch joined them.
    """

    def __init__(self, cursors: CursorSequence) -> None:
        self.targets: dict[JobRef, PollTarget] = {}
        self.subscribers: list[Subscriber] = []
        self.joined: dict[PollTarget, ReadTimes] = {}
        self.cursors = cursors
        self.may_be_full = False  # whether any subscriber ever had a journal, or was paused
        # Subscribers that are not in sync, with others that are by now; none is missing.
        self.behind: dict[Subscriber, None] = {}
        self.members: dict[int, tuple[Subscriber, ...]] = {NO_SUBSCRIBERS: ()}
        self._numbers: dict[tuple[Subscriber, ...], int] = {(): NO_SUBSCRIBERS}
        self._last_number = NO_SUBSCRIBERS

    def add_subscriber(self, subscriber: Subscriber) -> None:
        """Add a *subscriber* without targets."""
        self.subscribers.append(subscriber)
        self.behind[subscriber] = None

    def subscribers_of(self, target: PollTarget) -> tuple[Subscriber, ...]:
        """Return the subscribers that want the events of a job; may be called from another thread."""
        return self.members.get(target.group, ())

    def subscribe(
        self,
        subscriber: Subscriber,
        ref: Ref,
        *,
        now: float,
        operated_at: float | None,
        recorded: PollTarget | None = None,
    ) -> tuple[PollTarget, int | None]:
        """Add *ref* as a target of *subscriber*; return its job, and since when what it is given must be requested.

        That is None for a job that was never polled, as then any response shows its present state. Other jobs are read
        once more, so that the subscriber is not given what was remembered. *operated_at* is when an operation on it was
        last sent. *recorded* is what the subscriber was given of the job before it was opened; a job without followers
        goes on from there.
        """
        job = ref.job
        target = self.targets.get(job)
        if target is None:
            target = PollTarget(job) if recorded is None else recorded
            target.operated_at, target.was_operated = operated_at, operated_at is not None
            target.awaited_since = now
            self.targets[job] = target
        elif target.all_settled():
            target.awaited_since = now
        group = self.subscribers_of(target)
        if subscriber not in group:
            group = (*group, subscriber)
            self._assign(target, group)
        must_reread = target is not recorded and (recorded is not None or has_past(target))
        target.add_target(ref)
        if recorded is None:
            target.retry_lost(ref)
        target.detail_level = max(other.detail_level for other in group)
        return target, self.read_again(target) if must_reread else None

    def unsubscribe(self, subscriber: Subscriber, ref: Ref) -> PollTarget | None:
        """Remove *ref*, no longer a target of *subscriber*; return the job if it is not watched any more."""
        job = ref.job
        target = self.targets.get(job)
        if target is None:
            return None
        group = self.subscribers_of(target)
        if not any(ref in other.targets_in(job) for other in group):
            target.remove_target(ref)
        if subscriber.targets_in(job):
            return None
        left = tuple(other for other in group if other is not subscriber)
        self._assign(target, left)
        if left:
            target.detail_level = max(other.detail_level for other in left)
            return None
        del self.targets[job]
        self.joined.pop(target, None)
        return target

    def remove_subscriber(self, subscriber: Subscriber) -> None:
        """Remove a *subscriber* that has no targets any more; harmless when repeated."""
        if subscriber not in self.subscribers:
            return
        self.subscribers.remove(subscriber)
        self.behind.pop(subscriber, None)
        for members, number in list(self._numbers.items()):
            if subscriber in members:
                del self.members[number], self._numbers[members]

    # Delivering to subscribers --------------------------------------------------------------------------------------

    def stamp(self, now: float) -> PollStamp:
        """Return the time *now* with the next number of a batch."""
        return self.cursors.next_stamp(now, time.time())

    def publish(self, target: PollTarget, at: PollStamp, events: Sequence[Event]) -> None:
        """Deliver the events of one poll to the subscribers of a job."""
        if events:
            place(events, at.cursor, at.at)
        times = self.joined.get(target) if self.joined else None
        for subscriber in self.members[target.group]:
            subscriber.on_events(target, at, events, times)

    def publish_unchanged(self, target: PollTarget, at: PollStamp) -> None:
        """Deliver a poll without events to subscribers that may become in sync by it; the others need not know of it."""
        for subscriber in self.members[target.group]:
            if not subscriber.is_in_sync:
                subscriber.on_events(target, at, (), None)
        while self.behind and next(reversed(self.behind)).is_in_sync:
            self.behind.popitem()

    def publish_to_all(self, event: Trouble | Recovered) -> None:
        """Deliver an event that concerns all targets."""
        at = self.stamp(asyncio.get_running_loop().time())
        for subscriber in tuple(self.subscribers):
            subscriber.on_platform_event(at, replace(event))

    def wake_readers(self) -> None:
        """Let the readers of all subscribers that wait look again whether they have to."""
        for subscriber in self.subscribers:
            subscriber.wake_readers()

    def update_settled(self, target: PollTarget) -> None:
        """Have the subscribers of a job determine which of their targets have settled."""
        for subscriber in self.members[target.group]:
            subscriber.update_settled(target)

    def crash(self, error: BaseException) -> None:
        """End all watches with *error*."""
        for subscriber in tuple(self.subscribers):
            subscriber.close(error)

    # What subscribers want of a job ---------------------------------------------------------------------------------

    def must_revisit(self, target: PollTarget, now: float) -> bool:
        """Return True when a step that is over is due again while other steps of its job are polled singly."""
        if target.is_target or target.job_seen_at is None:
            return False
        interval = self.revisit_interval(target)
        if interval is None or now - target.job_seen_at < interval:
            return False
        return any(target.has_finished(ref) for ref in target.target_steps)

    def revisit_interval(self, target: PollTarget) -> float | None:
        """Return the seconds between polls of a job that is over, None for no more polls."""
        intervals = (each.revisit_interval for each in self.subscribers_of(target))
        return min((seconds for seconds in intervals if seconds is not None), default=None)

    def expects_callbacks(self, target: PollTarget) -> bool:
        """Return True when callbacks are expected to report the end of a job."""
        return any(subscriber.expects_callbacks for subscriber in self.subscribers_of(target))

    def first_deadline(self, target: PollTarget) -> float | None:
        """Return when the first watch of a job ends, None for never."""
        ends = (subscriber.ends_at for subscriber in self.subscribers_of(target))
        return min((end for end in ends if end is not None), default=None)

    def is_full(self, target: PollTarget) -> bool:
        """Return True while a subscriber can take no more events of a job."""
        return any(subscriber.is_full for subscriber in self.subscribers_of(target))

    def read_again(self, target: PollTarget) -> int:
        """Have a job read in full, in requests that are sent after the time that is returned."""
        times = self.joined.setdefault(target, ReadTimes())
        times.wanted = self.cursors.take_number()
        return times.wanted

    def awaits(self, target: PollTarget) -> bool:
        """Return True while a subscriber waits for a job to be read in full."""
        if target not in self.joined:
            return False
        if any(subscriber.awaits(target.ref) for subscriber in self.subscribers_of(target)):
            return True
        del self.joined[target]
        return False

    def _assign(self, target: PollTarget, members: tuple[Subscriber, ...]) -> None:
        """Let *members* be the subscribers of a job."""
        number = self._numbers.get(members)
        if number is None:
            number = self._last_number = self._last_number + 1
            self.members[number], self._numbers[members] = members, number
        target.group = number


def has_past(target: PollTarget) -> bool:
    """Return True for a job that was polled, or that goes on from what a journal recorded."""
    if target.first_polled_at is not None or target.seen_at is not None or target.status_code is not None:
        return True
    return any(step.status_code is not None for step in target.steps)
