"""The story of one job instance and those of its steps that anybody watches."""

from __future__ import annotations

from collections.abc import Sequence
from sys import intern

from attrs import evolve

from bkjob_async.engine.group_polling.group_poller import ReadMode
from bkjob_async.engine.host_table.encoding import announced_state, packed_times
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy
from bkjob_async.engine.tracking.job_state import JobState, without
from bkjob_async.engine.tracking.poll_failures import NONE
from bkjob_async.engine.tracking.settling import SETTLE_BOUND, UNREAD_BOUND
from bkjob_async.engine.tracking.step_state import NOT_STARTED
from bkjob_async.engine.tracking.step_tracker import StepTracker
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Event, Lost, LostReason, Reopened
from bkjob_async.model.poll_view import JobPollView, StepPollView
from bkjob_async.model.refs import Ref
from bkjob_async.model.status import run_status

NO_NEWS: Sequence[EventOrLazy] = ()


class JobTracker(JobState, eq=False, gc=False):
    """Follows one job instance: takes in what answers say of it and its steps, and says what is news."""

    def give_up_round(self) -> None:
        """Forget a look by several questions that was not brought to its end."""
        self.pending = ()
        for tracker in self.steps:
            if tracker.group_poller is not None:
                tracker.group_poller.abandon_round()

    # What answers say -----------------------------------------------------------------------------------------------

    def apply_job(self, look: JobPollView, at: PollStamp) -> Sequence[EventOrLazy]:
        """Take in an answer about the whole job; return what can be told."""
        self.job_seen_at = at.now
        if self._is_at_ease() and self._stands_as(look):
            self._seen_again(at)
            return NO_NEWS
        steps = each_once(look.steps)
        self._is_found(self.ref)
        if self._is_outdated(steps):
            self.poll_failures = self.poll_failures.cleared()
            return self._close(at)
        self._is_seen(at)
        events: list[EventOrLazy] = []
        if look.name and look.name != self.name:
            self.name = intern(look.name)
        finished = run_status(look.status).is_finished(flag=look.finished)
        if finished or look.status != self.seen:
            self._times = packed_times(look.times)
        events += self._observe_job(look.status, at, finished=finished)
        self.seen = look.status
        begun = last_begun(steps)
        for number, step in enumerate(steps):
            if self.whole or self.ref.step(step.step_instance_id) in self.singles:
                tracker = self.tracker(step.step_instance_id)
                left = finished or number < begun
                events += tracker.observe(step, at, job_finished=finished, left_behind=left)
                events += self._close_step(tracker, at)
        if self.finished and any(isinstance(event, Reopened) and event.ref != self.ref for event in events):
            events.insert(0, self._reopen(at))
            self._closing_since = at.now
        return events + self._close(at)

    def apply_step(
        self, look: StepPollView, at: PollStamp, reading: ReadMode = None
    ) -> Sequence[EventOrLazy]:
        """Take in an answer about one step, asked for in this *reading*; return what can be told."""
        tracker = self.tracker(look.step_instance_id)
        if self._is_at_ease() and tracker.stands_as(look, reading):
            self.seen_at = at.now
            tracker.refusals = 0
            tracker.seen_again(at)
            return NO_NEWS
        self._is_seen(at)
        tracker.refusals = 0
        self._is_found(tracker.ref)
        job_finished = None if self.seen is None else self._closing_since is not None or self.finished
        events = tracker.observe(
            look,
            at,
            job_finished=job_finished,
            reading=reading,
            patient=self.detail_level < DetailLevel.EVERY_CHANGE,
        )
        if self.finished and any(isinstance(event, Reopened) for event in events):
            events.insert(0, self._reopen(at))
        return events + self._close(at)

    def _is_outdated(self, steps: Sequence[StepPollView]) -> bool:
        """Whether an answer is older than one before: it shows an earlier execution of a step, so none of it is news."""
        for step in steps:
            known = self.known_step(step.step_instance_id)
            if known is not None and known.seen is not None and step.execute_count < known.execute_count:
                return True
        return False

    def _is_at_ease(self) -> bool:
        """Whether nothing went wrong and nothing is about to end: what shows the same as before is no news."""
        if self.poll_failures is not NONE or self._closing_since is not None:
            return False
        return not self.has_closing_step()

    def _stands_as(self, look: JobPollView) -> bool:
        """Whether the job and all its steps stand just as *look* shows them, and the job goes on."""
        told = self._announced
        if told is None or told[2] or told[0] != look.status or self.seen != look.status:
            return False
        if look.finished or look.name != self.name or not self.whole or len(look.steps) != len(self.steps):
            return False
        if run_status(look.status).is_finished(flag=look.finished):
            return False
        for tracker, step in zip(self.steps, look.steps, strict=True):
            if tracker.ref.step_instance_id != step.step_instance_id or not tracker.stands_as(step):
                return False
        return True

    def _seen_again(self, at: PollStamp) -> None:
        """Take note that job and steps go on as before."""
        self.seen_at = self._alive_at = at.now
        for tracker in self.steps:
            tracker.seen_again(at)

    def _is_seen(self, at: PollStamp) -> None:
        self.seen_at = at.now
        self.poll_failures = self.poll_failures.cleared()

    def _is_found(self, ref: Ref) -> None:
        if ref in self.poll_failures.not_found:
            self.poll_failures = evolve(
                self.poll_failures, not_found=without(self.poll_failures.not_found, ref)
            )

    def _observe_job(self, code: int, at: PollStamp, *, finished: bool) -> list[Event]:
        events: list[Event] = []
        if self.finished and (not finished or code != self.seen):
            events.append(self._reopen(at))
        if not finished or (self.seen is not None and code != self.seen):
            self._alive_at = at.now
        if not finished:
            self._closing_since = None
        elif self._closing_since is None or code != self.seen:
            self._closing_since = at.now
        if self.whole and not finished:
            if code != NOT_STARTED and self.running_since is None:
                self.running_since = at.now
                self.first_asked_at = None  # of no interest any more
                self._began_at = at.now if self.seen == NOT_STARTED else None
            events += self._announce(code, at, finished=False)
        return events

    def _reopen(self, at: PollStamp) -> Event:
        if self._announced is not None:
            self._announced = announced_state(self._announced[0], 0, finished=False)
            self._sequence = at.sequence  # who misses this must hear that it is over no more
        self.epoch += 1
        self._closing_since = None
        self.running_since = self._began_at = None
        return Reopened(ref=self.ref, epoch=self.epoch, cursor=at.cursor)

    def _announce(self, code: int, at: PollStamp, *, finished: bool) -> list[Event]:
        told = announced_state(code, 0, finished=finished)
        if told == self._announced:
            return []
        before = self._announced[0] if self._announced else None
        self._announced = told
        self._sequence = at.sequence
        return [self._changed(before, at.cursor)]

    # When it is over ------------------------------------------------------------------------------------------------

    def _close(self, at: PollStamp) -> list[Event]:
        """Announce what is over and settled: steps first, then the job.

        A step that never began is over with its job; so is one that was left as it was, after a longer while.
        """
        events: list[Event] = []
        for tracker in self.steps:
            events += self._close_step(tracker, at)
        if self._closing_since is None or self.seen is None:
            return events
        overdue = at.now - self._closing_since >= SETTLE_BOUND
        begun = [tracker for tracker in self.open_steps() if tracker.started]
        # A step with a final status has a bound of its own; one without may be left so for ever.
        settling = any(tracker.closing_since is not None for tracker in begun)
        doubtful = self._is_doubtful(self._alive_at, at.now)
        if settling or not (overdue or not (begun or doubtful)):
            return events
        abandoned = at.now - self._closing_since >= UNREAD_BOUND
        for tracker in self.open_steps():
            if tracker.ref in self.singles and (
                tracker.seen == NOT_STARTED or (tracker.started and abandoned)
            ):
                events += tracker.end_with_job(at)
                events.append(self.end_of(tracker.ref, at.cursor))
        if self.whole and not self.finished:
            events += self._announce(self.seen, at, finished=True)
            events.append(self.end_of(self.ref, at.cursor))
            self.ended += ((self.ref, self.seen_for),)
        return events

    def _close_step(self, tracker: StepTracker, at: PollStamp) -> list[Event]:
        seen_for = tracker.seen_for if tracker.is_closing else None
        events = tracker.close(
            at,
            doubtful=self._is_doubtful(tracker.alive_at, at.now),
        )
        if events:
            self.ended += ((tracker.ref, seen_for),)
        if events and tracker.ref in self.singles:
            events.append(self.end_of(tracker.ref, at.cursor))
        return events

    def expect_change(self, since: float) -> None:
        """Hold every final status for provisional until it changes, or the bound after *since* has passed."""
        self.operated_at = since

    def lose(self, ref: Ref, reason: LostReason, message: str, cursor: str) -> list[Event]:
        """Give up a target; losing the job loses its steps. What has finished is over as it was, but for who joins it."""
        refs = [each for each in self.targets if ref in (self.ref, each) and each not in self.lost]
        lost = {
            each: Lost(ref=each, reason=reason, message=message, cursor=cursor)
            for each in sorted(refs, key=str)
        }
        given_up = {each: event for each, event in lost.items() if not self.has_finished(each)}
        self.poll_failures = evolve(self.poll_failures, lost={**self.lost, **given_up})
        return list(lost.values())

    def count_not_found(self, ref: Ref) -> int:
        """Count one more answer that *ref* is not there; return how many there were in a row."""
        count = self.poll_failures.not_found.get(ref, 0) + 1
        self.poll_failures = evolve(
            self.poll_failures, not_found={**self.poll_failures.not_found, ref: count}
        )
        return count


def each_once(steps: Sequence[StepPollView]) -> Sequence[StepPollView]:
    """Return *steps* without those that were listed before: two lines that differ would reopen the step at each look."""
    first = {step.step_instance_id: step for step in reversed(steps)}
    return steps if len(first) == len(steps) else [s for s in steps if first[s.step_instance_id] is s]


def last_begun(steps: Sequence[StepPollView]) -> int:
    """Return the place of the last step that has begun: the job has left behind those before it."""
    return max((n for n, step in enumerate(steps) if step.status != NOT_STARTED), default=0)
