"""Select the events of a job for one watch: of targets that it follows, has just joined, or has lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from bkjob_async.engine.delivery.read_times import ReadTimes
from bkjob_async.engine.delivery.unseen_hosts import UnseenHosts
from bkjob_async.engine.folding.diff import Missed, continue_waits, diff
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import count_hosts, finished_event
from bkjob_async.model.events import (
    Event,
    Finished,
    HostChanged,
    HostCounts,
    Lost,
    Recovered,
    Reopened,
    StepChanged,
    StepWaiting,
)
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.status import Phase

# Events of its steps that a watch of the job is given although the steps are not targets by themselves.
STEP_EVENTS = HostChanged | HostCounts | StepChanged | StepWaiting | Reopened

# In place of the time after which a joined target must be requested, once it was read.
WAS_READ = 0


class LostTarget(NamedTuple):
    """A target that one watch lost: when, the event, and the host counts that the watch was given last, by step.

    Not *had_state*: it was lost before the watch was given any state of it; another watch may have seen some.
    """

    sequence: int
    event: Lost
    counts: dict[StepRef, Mapping[Phase, int]]
    had_state: bool = True


class TargetDelivery:
    """Selects the events that one watch is given of its targets.

    Mostly these are all events since the target was first polled. A target whose job was polled before, for another
    watch, is *joined*: the job is read again, by requests that are sent afterwards. Then the watch is given the
    present state of the target, and from then on its events. Until then it is given no more than trouble with the
    target, or its loss. A lost target stays lost for this watch, even if another watch joins it and it can be read.
    """

    __slots__ = (
        "_continued",
        "_ended_before",
        "_joining",
        "_known",
        "_lost",
        "_present_given_at",
        "_recorded",
        "_troubled",
        "_unseen",
    )

    def __init__(self) -> None:
        # The time after which what is given of each joined target must be requested.
        self._joining: dict[Ref, int] = {}
        # Joining steps that are over, and whose state was given with their job.
        self._known: set[Ref] = set()
        self._troubled: set[Ref] = set()
        # The sequence of the batch with the present state of each joined target.
        self._present_given_at: dict[Ref, int] = {}
        # Those of them that the watch was given something of before it was opened.
        self._continued: set[Ref] = set()
        self._lost: dict[Ref, LostTarget] = {}
        # What was reported for joined targets before, by their job.
        self._recorded: dict[Ref, JobState] = {}
        # The same of targets that had ended, and cannot be read now.
        self._ended_before: dict[Ref, JobState] = {}
        # Hosts that were reported for targets before, and that another watch has not seen.
        self._unseen = UnseenHosts()

    def join(self, ref: Ref, since: int, recorded: JobState | None = None) -> None:
        """Wait until all parts of *ref* were read by requests that are sent after *since*.

        Of a target of which the watch *recorded* something before, it is given the difference to that.
        """
        self._joining[ref] = since
        if recorded is not None:
            self._recorded[ref] = recorded
            if ref in recorded.poll_failures.troubled:
                self._troubled.add(ref)

    def restore_lost(self, ref: Ref, recorded: JobState) -> None:
        """Restore that a target is lost for this watch, as its journal *recorded*."""
        self._lost[ref] = LostTarget(0, recorded.lost[ref], counts_by_step(recorded, ref))

    def remove(self, ref: Ref, job: JobState | None) -> None:
        """Forget *ref*: it is not a target any more. *job* is the state of its job, None if that is unknown."""
        if self._lost and job is not None and self._is_followed(ref):
            for step, counts in counts_by_step(job, ref).items():
                for lost in (self._lost.get(step), self._lost.get(job.ref)):
                    if lost is not None:
                        lost.counts[step] = counts
        if job is not None and ref == job.ref and self._is_followed(ref):
            self._follow_known_steps(job)
        self._joining.pop(ref, None)
        self._known.discard(ref)
        self._recorded.pop(ref, None)
        self._troubled.discard(ref)
        self._present_given_at.pop(ref, None)
        self._continued.discard(ref)
        self._lost.pop(ref, None)
        self._ended_before.pop(ref, None)
        self._unseen.forget(ref)

    def _follow_known_steps(self, job: JobState) -> None:
        """Follow the joining steps of a job that is removed: their state was given with it, all but their ends."""
        for step in job.steps:
            ref = step.ref
            if ref not in self._joining:
                continue
            if job.has_finished(ref):
                self._known.add(ref)
                continue
            del self._joining[ref]
            self._recorded.pop(ref, None)
            if job.ref in self._present_given_at:
                self._present_given_at[ref] = self._present_given_at[job.ref]
                if job.ref in self._continued:
                    self._continued.add(ref)

    def is_joining(self, ref: Ref) -> bool:
        """Return True if the watch was not given the present state of *ref* yet."""
        return ref in self._joining

    def ended_before(self, ref: Ref) -> JobState | None:
        """Return the job of a target that had ended before the watch was opened, and cannot be read now."""
        return self._ended_before.get(ref)

    def are_lost(self, refs: Iterable[Ref]) -> bool:
        """Return True if the watch was given the loss of each of *refs*."""
        return all(ref in self._lost for ref in refs)

    def differs(self, job: JobState, refs: Collection[Ref]) -> bool:
        """Return True if the watch may have been given another state of *refs* than that of *job*."""
        if self._joining and any(ref in self._joining for ref in refs):
            return True
        if self._unseen.has_any_of(refs):
            return True
        # The state of a joined target was read for another watch, and says of its hosts when that one was given them.
        if self._present_given_at and any(ref in self._present_given_at for ref in refs):
            return True
        return bool(self._lost) and any(
            ref in self._lost and (len(refs) > 1 or ref in self._ended_before or self._has_gone_on(job, ref))
            for ref in refs
        )

    def recorded_before(self, refs: Iterable[Ref]) -> tuple[JobState, list[Ref]] | None:
        """Return the state in which targets of one job were reported before the watch was opened, and these targets.

        Only those whose present state the watch was not given yet, or that had ended and cannot be read now; None for none.
        """
        found = [ref for ref in refs if ref in self._recorded or ref in self._ended_before]
        if not found:
            return None
        return self._recorded.get(found[0]) or self._ended_before[found[0]], found

    def is_state_given(self, ref: Ref) -> bool:
        """Return True if the watch was given the state of *ref*, or that it cannot be read."""
        return ref not in self._joining or ref in self._troubled

    def is_over(self, job: JobState, ref: Ref) -> bool:
        """Return True if the watch was given the end of *ref*, a target of *job*, or its loss."""
        return ref not in self._joining and (ref in self._lost or job.is_settled(ref))

    def await_response(self, refs: Iterable[Ref]) -> bool:
        """Return True if any of *refs* is still to be read by requests that are sent after it was joined."""
        joining = self._joining
        return bool(joining) and any(joining.get(ref, WAS_READ) != WAS_READ for ref in refs)

    # Events of a poll -----------------------------------------------------------------------------------------------

    def select(
        self,
        job: JobState,
        refs: Collection[Ref],
        events: Sequence[Event],
        stamp: PollStamp,
        times: ReadTimes | None,
    ) -> tuple[list[Event], list[Event]]:
        """Return which of *events* the watch is given, and events of joined targets that are for this watch alone.

        *refs* are its targets of *job*. *times* are those of a job that is read for who joined it.
        """
        if self._unseen.steps:
            events = self._unseen.continued(events)
        if self._joining or self._lost:
            return self._select_with_joined(job, refs, events, stamp, times)
        selected = [event for event in events if concerns(event, refs, job.ref)]
        if any(isinstance(event, Lost) for event in selected):
            selected = self._apply_losses(job, selected, stamp)
        return selected, []

    def _select_with_joined(
        self,
        job: JobState,
        refs: Collection[Ref],
        events: Sequence[Event],
        stamp: PollStamp,
        times: ReadTimes | None,
    ) -> tuple[list[Event], list[Event]]:
        """Select events for a watch of which some targets are joining or lost."""
        followed = {ref for ref in refs if ref not in self._joining and ref not in self._lost}
        joined = self._take_joined(job, refs, stamp, times)
        # The state of a followed job's steps was given with the job; only how they finished is new.
        recorded = [(ref, self._recorded.pop(ref)) for ref in joined if ref in self._recorded]
        joined = [ref for ref in joined if all(ref != other for other, _ in recorded)]
        known_steps = [
            ref
            for ref in joined
            if (job.ref in followed and ref != job.ref) or (ref in self._known and job.has_finished(ref))
        ]
        self._known.difference_update(joined)
        others = [ref for ref in joined if ref not in known_steps]
        followed.update(known_steps)
        selected = [
            event
            for event in events
            # `Recovered` is for a watch that was given the trouble: not for a target that it joins just now.
            if (
                concerns(event, followed, job.ref)
                and not (isinstance(event, Recovered) and event.ref in known_steps)
            )
            or self._is_signal(event)
        ]
        finished = {event.ref for event in events if isinstance(event, Finished)}
        own: list[Event] = [
            finished_event(job, ref) for ref in known_steps if job.has_finished(ref) and ref not in finished
        ]
        if recorded:
            restored = [ref for ref, _ in recorded]
            own += self._ended_troubles(job, restored)
            continue_waits(recorded[0][1], job)
            own += diff(recorded[0][1], job, restored, known=tuple(followed))
            self._unseen.keep(recorded[0][1], job, restored)
            followed.update(restored)
            self._continued.update(restored)
        # If a target of the job is lost here, the watch may know a part of the others' state.
        is_partly_known = any(ref in self._lost for ref in refs)
        own += diff(Missed(skipped=is_partly_known), job, others, known=followed)
        own += self._troubles(job, refs)
        return self._apply_losses(job, selected, stamp), own

    def _take_joined(
        self, job: JobState, refs: Collection[Ref], stamp: PollStamp, times: ReadTimes | None
    ) -> list[Ref]:
        """Return the joining targets whose present state can be given now; they are followed from here on."""
        joined: list[Ref] = []
        for ref in refs:
            awaited = self._joining.get(ref)
            if awaited is None:
                continue
            if times is not None and times.shows(ref, awaited, stamp.now):
                self._joining[ref] = awaited = WAS_READ
            # What ended with its job has ended since, too: that is not announced here yet.
            is_ending = self._has_ended(ref) and job.will_end_with_job(ref)
            if awaited == WAS_READ and job.is_up_to_date(ref) and not is_ending:
                joined.append(ref)
        for ref in joined:
            del self._joining[ref]
            self._present_given_at[ref] = stamp.sequence
        return joined

    def _has_ended(self, ref: Ref) -> bool:
        """Return True if the watch was given the end of a joining target before it was opened."""
        recorded = self._recorded.get(ref)
        return recorded is not None and recorded.has_finished(ref)

    def _is_signal(self, event: Event) -> bool:
        """Return True for the end of trouble that was given of a joining target, or its loss."""
        match event:
            case Recovered(ref=ref) if ref in self._troubled:
                self._troubled.discard(ref)
                return True
            case Lost(ref=ref):
                return ref in self._joining
            case _:
                return False

    def _ended_troubles(self, job: JobState, refs: Iterable[Ref]) -> Iterator[Event]:
        """Yield the end of trouble that was recorded, and that no watch of this client was given."""
        for ref in refs:
            if ref in self._troubled and ref not in job.poll_failures.troubled:
                self._troubled.discard(ref)
                yield Recovered(ref=ref)

    def _troubles(self, job: JobState, refs: Collection[Ref]) -> Iterator[Event]:
        """Yield the trouble of joining targets that this watch was not given yet."""
        for ref, trouble in job.poll_failures.troubled.items():
            if (
                ref in refs
                and ref in self._joining
                and ref not in self._troubled
                and not self._has_ended(ref)
            ):
                self._troubled.add(ref)
                yield replace(trouble)  # a place of its own

    def _apply_losses(self, job: JobState, events: Sequence[Event], stamp: PollStamp) -> list[Event]:
        """Keep which targets are lost; return *events* without losses of targets that have finished."""
        kept: list[Event] = []
        for event in events:
            if isinstance(event, Lost):
                ref = event.ref
                if ref not in self._joining and job.has_finished(ref):
                    continue
                has_ended, recorded = self._has_ended(ref), self._recorded.pop(ref, None)
                had_state = recorded is not None or self._is_followed(ref)
                counts = counts_by_step(recorded or job, ref) if had_state else {}
                self._joining.pop(ref, None)
                self._lost[ref] = LostTarget(stamp.sequence, event, counts, had_state)
                if has_ended and recorded is not None:
                    # Its end was reported before this watch was opened; that it cannot be read any more changes nothing.
                    self._ended_before[ref] = recorded
                    continue
            kept.append(event)
        return kept

    # The present state ----------------------------------------------------------------------------------------------

    def counts(self, job: JobState, refs: Collection[Ref]) -> Mapping[Phase, int]:
        """Return the host counts of *refs* by phase: of lost ones as they were reported last, of joining ones none."""
        followed = [ref for ref in refs if self._is_followed(ref)]
        unseen = self._unseen.counts(followed)
        if job.ref in followed:
            return unseen + Counter(count_hosts(job, job.ref)) if unseen else count_hosts(job, job.ref)
        by_step: dict[StepRef, Mapping[Phase, int]] = {}
        for ref in refs:
            if ref in self._lost:
                by_step.update(self._lost[ref].counts)
        for ref in followed:
            by_step.update(counts_by_step(job, ref))
        return sum(map(Counter, by_step.values()), unseen)

    def _is_followed(self, ref: Ref) -> bool:
        return ref not in self._joining and ref not in self._lost

    def present(
        self,
        job: JobState,
        refs: Collection[Ref],
        since: int,
        *,
        skipped: bool,
        partly_read: int = 0,
    ) -> Iterator[Event]:
        """Yield the present state of *refs* for a reader that missed batch *since* and later ones.

        *skipped*: the reader was given a part of the stream before. *partly_read* is the batch, if any, that the
        reader was given the first events of.
        """
        given = [ref for ref in refs if self._has_state(ref) and not self._has_gone_on(job, ref)]
        joined = [ref for ref in given if self._present_given_at.get(ref, -1) >= since]
        others = [ref for ref in given if ref not in joined] if joined else given
        yield from diff(Missed(since, skipped), job, others)
        known = others
        for ref in joined:
            # The reader knows nothing of these, unless it comes from before this watch or from inside their batch, or the
            # watch goes on with them.
            has_some = not since or self._present_given_at[ref] == partly_read or ref in self._continued
            yield from diff(Missed(skipped=skipped and has_some), job, [ref], known)
            known = [*known, ref]
        for ref in refs:
            lost = self._lost.get(ref)
            if lost is not None and lost.sequence >= since and ref not in self._ended_before:
                yield replace(lost.event)

    def _has_state(self, ref: Ref) -> bool:
        """Return True if the watch was given a state of *ref*, be it lost now."""
        return ref not in self._joining and (ref not in self._lost or self._lost[ref].had_state)

    def _has_gone_on(self, job: JobState, ref: Ref) -> bool:
        """Return True if *ref* is lost for this watch, and a later poll showed it again."""
        return ref in self._lost and (ref not in job.lost or job.has_finished(ref))


def counts_by_step(job: JobState, ref: Ref) -> dict[StepRef, Mapping[Phase, int]]:
    """Return the host counts of each step of the job, or of the one step that *ref* is."""
    return {step.ref: step.hosts.statuses.counts() for step in job.steps if ref in (step.ref, job.ref)}


def concerns(event: Event, refs: Collection[Ref], job: Ref) -> bool:
    """Return True if *event* is about one of *refs*, or about a step of *job* if that is one of them."""
    if type(event) is HostChanged and job in refs:  # as most events are
        return True
    return event.ref is None or event.ref in refs or (job in refs and isinstance(event, STEP_EVENTS))
