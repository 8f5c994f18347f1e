"""Give one watch the events of a job: of what it has reported, has yet to report, or has lost (`reported`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from msgspec.structs import replace

from bkjob_async.engine.delivery.read_times import ReadTimes
from bkjob_async.engine.delivery.reported import (
    SHARED,
    Frozen,
    Own,
    Reported,
    Shared,
    awaited_after,
    is_shared,
)
from bkjob_async.engine.delivery.unseen_hosts import UnseenHosts
from bkjob_async.engine.folding.diff import NOTHING, Missed, continue_waits, diff
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
    Stalled,
    StepChanged,
    StepWaiting,
    Trouble,
)
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.status import Phase

# Events of its steps that a watch of the job is given although the steps are not targets by themselves.
STEP_EVENTS = HostChanged | HostCounts | StepChanged | StepWaiting | Reopened


class TargetDelivery:
    """Selects the events that one watch is given of its targets, by what it has reported of each."""

    __slots__ = ("_reported", "_unseen")

    def __init__(self) -> None:
        # Of targets of which that is not the state that was shared from their first poll on.
        self._reported: dict[Ref, Reported] = {}
        # Hosts that were reported for targets before, and that another watch has not seen.
        self._unseen = UnseenHosts()

    def reported(self, ref: Ref) -> Reported:
        """Return what the watch has reported of a target."""
        return self._reported.get(ref, SHARED)

    def join(self, ref: Ref, after: int, restored: JobState | None = None, *, is_given: bool = True) -> None:
        """Wait until *ref* was read by requests that are sent *after* a time; *restored* is what was reported before.

        Of a step whose job is restored all but its end was reported with the job. Where nothing of *ref* *is_given* yet, it
        had joined, and was not read, in an earlier process.
        """
        has_trouble = restored is not None and ref in restored.poll_failures.troubled
        restored = restored if is_given else None
        of_job = self.reported(ref.job) if restored is None and ref != ref.job else None
        if isinstance(of_job, Own) and of_job.restored is not None:
            self._reported[ref] = Own(after, of_job.restored, has_trouble, lacks_end=True)
        else:
            self._reported[ref] = Own(after, restored, has_trouble)

    def restore_lost(self, ref: Ref, restored: JobState) -> None:
        """Restore that a target is lost for this watch, as its journal has it."""
        self._reported[ref] = Frozen(0, restored.lost[ref], counts_by_step(restored, ref))

    def remove(self, ref: Ref, job: JobState | None) -> None:
        """Forget *ref*: it is not a target any more. *job* is the state of its job, None if that is unknown."""
        before = self.reported(ref)
        if self._reported and job is not None and isinstance(before, Shared):
            for step, counts in counts_by_step(job, ref).items():
                for other in (self.reported(step), self.reported(job.ref)):
                    if isinstance(other, Frozen):
                        other.counts[step] = counts
            if ref == job.ref:
                self._follow_steps(job, before)
            elif isinstance(of_job := self.reported(job.ref), Shared) and of_job.since > before.since:
                self._reported[job.ref] = Shared(of_job.since, is_continued=True)
        self._reported.pop(ref, None)
        self._unseen.forget(ref)

    def _follow_steps(self, job: JobState, reported: Shared) -> None:
        """Let what is reported of a removed job be that of its joining steps: all but their ends was given with it."""
        for step in job.steps:
            own = self.reported(step.ref)
            if isinstance(own, Own):
                lacks_end = own.lacks_end or any(diff(own.restored or NOTHING, job, [step.ref], [job.ref]))
                self._reported[step.ref] = replace(reported, end_after=own.after) if lacks_end else reported

    def is_joining(self, ref: Ref) -> bool:
        """Return True if the watch was not given the present state of *ref* yet."""
        return isinstance(self.reported(ref), Own)

    def has_reported(self, ref: Ref, refs: Collection[Ref]) -> bool:
        """Return True if the watch was given the state of *ref*, by itself or with its job, one of its targets *refs*."""
        return not self.is_joining(ref) or self.is_given_by_job(ref, refs)

    def is_given_by_job(self, ref: Ref, refs: Collection[Ref]) -> bool:
        """Return True if not *ref* itself is followed, but its job, one of its targets *refs*: it joins, or is lost."""
        is_followed = ref == ref.job or isinstance(self.reported(ref), Shared)
        return not is_followed and ref.job in refs and isinstance(self.reported(ref.job), Shared)

    def ended_before(self, ref: Ref) -> JobState | None:
        """Return the job of a target that had ended before the watch was opened, and cannot be read now."""
        reported = self.reported(ref)
        return reported.ended if isinstance(reported, Frozen) else None

    def loss_of(self, ref: Ref) -> Lost | None:
        """Return the loss of a target that the watch was given, None for any other; it stays lost, whatever others read."""
        reported = self.reported(ref)
        return reported.lost if isinstance(reported, Frozen) and reported.ended is None else None

    def are_lost(self, refs: Iterable[Ref]) -> bool:
        """Return True if the watch was given the loss of each of *refs*."""
        return all(isinstance(self.reported(ref), Frozen) for ref in refs)

    def differs(self, job: JobState, refs: Collection[Ref]) -> bool:
        """Return True if the watch may have been given another state of *refs* than that of *job*."""
        if self._unseen.has_any_of(refs):
            return True
        for ref in refs if self._reported else ():
            reported = self.reported(ref)
            if not isinstance(reported, Frozen):
                # The state of a joined target was read for another watch, and says of its hosts when that one was given them.
                if reported is not SHARED:
                    return True
            elif len(refs) > 1 or reported.ended is not None or has_gone_on(job, ref):
                return True
        return False

    def recorded_before(self, refs: Iterable[Ref]) -> tuple[JobState, list[Ref]] | None:
        """Return the state in which targets of one job were reported before the watch was opened, and these targets.

        Only those whose present state the watch was not given yet, or that had ended and cannot be read now; None for none.
        """
        found: dict[Ref, JobState] = {}
        for ref in refs:
            reported = self.reported(ref)
            state = reported.restored if isinstance(reported, Own) else self.ended_before(ref)
            if state is not None:
                found[ref] = state
        return (next(iter(found.values())), [*found]) if found else None

    def is_state_given(self, ref: Ref) -> bool:
        """Return True if the watch was given the state of *ref*, or that it cannot be read."""
        reported = self.reported(ref)
        return not isinstance(reported, Own) or reported.has_trouble

    def is_over(self, job: JobState, ref: Ref) -> bool:
        """Return True if the watch was given the end of *ref*, a target of *job*, or its loss."""
        reported = self.reported(ref)
        return isinstance(reported, Frozen) or (is_shared(reported) and job.is_settled(ref))

    def await_response(self, refs: Iterable[Ref]) -> bool:
        """Return True if any of *refs* is still to be read by requests that are sent after it was joined."""
        if not self._reported:
            return False
        return any(map(awaited_after, map(self.reported, refs)))

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
        if self._reported and not all(map(is_shared, map(self.reported, refs))):
            return self._select_with_own(job, refs, events, stamp, times)
        selected: list[Event] = []
        step: Ref | None = None
        is_given = has_losses = False
        for event in events:
            # Most events are those of hosts, by the thousand, and those of a step follow one another.
            if type(event) is HostChanged:
                if event.ref is not step:
                    step, is_given = event.ref, concerns(event, refs, job)
                if is_given:
                    selected.append(event)
            elif concerns(event, refs, job):
                selected.append(event)
                has_losses |= type(event) is Lost
        return self._apply_losses(job, selected, stamp) if has_losses else selected, []

    def _select_with_own(
        self,
        job: JobState,
        refs: Collection[Ref],
        events: Sequence[Event],
        stamp: PollStamp,
        times: ReadTimes | None,
    ) -> tuple[list[Event], list[Event]]:
        """Select events for a watch that has reported an own state of some of its targets."""
        followed = {ref for ref in refs if isinstance(self.reported(ref), Shared)}
        joined = self._take_joined(job, refs, stamp, times)
        restored = {ref: each.restored for ref, each in joined.items() if each.restored is not None}
        # The state of a followed job's steps was given with the job; only how they finished is new.
        known = [
            ref
            for ref, each in joined.items()
            if ref not in restored and job.ref in followed and ref != job.ref
        ]
        others = [ref for ref in joined if ref not in restored and ref not in known]
        followed.update(known)
        selected = [
            event
            for event in events
            # `Recovered` is for a watch that was given the trouble: not for a target that it joins just now.
            if (concerns(event, followed, job) and not (isinstance(event, Recovered) and event.ref in known))
            or self._is_signal(event, joined)
        ]
        finished = {event.ref for event in selected if isinstance(event, Finished)}
        ended = [*known, *self._take_ends(job, refs, finished, stamp, times)]
        own: list[Event] = [
            finished_event(job, ref) for ref in ended if job.has_finished(ref) and ref not in finished
        ]
        if restored:
            before = next(iter(restored.values()))
            # Of trouble that was reported in an earlier process no watch of this client was given the end.
            recovered = (ref for ref in restored if ref not in job.poll_failures.troubled)
            own += [Recovered(ref=ref) for ref in recovered if joined[ref].has_trouble]
            continue_waits(before, job)
            differences = [*diff(before, job, restored, followed)]
            finished.update(event.ref for event in differences if isinstance(event, Finished))
            own += differences
            own += [
                finished_event(job, ref)
                for ref in restored
                if joined[ref].lacks_end and job.has_finished(ref) and ref not in finished
            ]
            self._unseen.keep(before, job, restored)
            followed.update(restored)
        # If a target of the job is lost here, the watch may know a part of the others' state.
        is_partly_known = any(isinstance(self.reported(ref), Frozen) for ref in refs)
        own += diff(Missed(skipped=is_partly_known), job, others, followed)
        own += self._troubles(job, refs, joined, {event.ref for event in selected if type(event) is Trouble})
        return self._apply_losses(job, selected, stamp), own

    def _take_joined(
        self, job: JobState, refs: Collection[Ref], stamp: PollStamp, times: ReadTimes | None
    ) -> dict[Ref, Own]:
        """Return what was reported of joining targets whose present state can be given now; they are followed from here on."""
        joined: dict[Ref, Own] = {}
        for ref in refs:
            own = self.reported(ref)
            if not isinstance(own, Own):
                continue
            if times is not None and times.shows(ref, own.after, stamp.now):
                own.after = 0
            # What ended with its job has ended since, too: that is not announced here yet.
            is_ending = own.has_ended(ref) and job.will_end_with_job(ref)
            if not own.after and job.is_up_to_date(ref) and not is_ending:
                joined[ref] = own
        for ref, own in joined.items():
            self._reported[ref] = Shared(stamp.sequence, is_continued=own.restored is not None)
        return joined

    def _take_ends(
        self,
        job: JobState,
        refs: Collection[Ref],
        finished: Collection[Ref],
        stamp: PollStamp,
        times: ReadTimes | None,
    ) -> list[Ref]:
        """Return the steps of which all but the end was given, and that can be given now, if there is one; *finished* have it."""
        found: list[Ref] = []
        for ref in refs:
            shared = self.reported(ref)
            if not isinstance(shared, Shared) or shared.end_after is None or ref in job.lost:
                continue
            if times is not None and times.shows(ref, shared.end_after, stamp.now):
                shared = self._reported[ref] = replace(shared, end_after=0)
            can_be_given = not shared.end_after and job.is_up_to_date(ref)
            if ref in finished or not job.has_finished(ref) or can_be_given:
                # One that goes on has its next end by an event.
                self._reported[ref] = Shared(stamp.sequence, is_continued=True)
                found.append(ref)
        return found

    def _is_signal(self, event: Event, joined: Mapping[Ref, Own]) -> bool:
        """Return True for the end of trouble that was given of a joining target, its loss, or that nothing comes of it."""
        if isinstance(event, Lost):
            return self.is_joining(event.ref)
        if isinstance(event, Stalled):
            own = self.reported(event.ref)
            return isinstance(own, Own) and not own.has_ended(event.ref)
        if not isinstance(event, Recovered) or event.ref is None:
            return False
        own = joined.get(event.ref) or self.reported(event.ref)
        if not isinstance(own, Own) or not own.has_trouble:
            return False
        own.has_trouble = False
        return True

    def _troubles(
        self, job: JobState, refs: Collection[Ref], joined: Mapping[Ref, Own], told: Collection[Ref | None]
    ) -> Iterator[Event]:
        """Yield the trouble of joining and just *joined* targets that this watch was not given yet, by events or *told* now.

        A target whose end was reported is given none until it has joined: from then on it is given the end of trouble, too.
        """
        for ref, trouble in job.poll_failures.troubled.items():
            own = joined.get(ref) or self.reported(ref)
            if ref not in refs or ref in told or not isinstance(own, Own) or own.has_trouble:
                continue
            if ref in joined or not own.has_ended(ref):
                own.has_trouble = True
                yield replace(trouble)  # a place of its own

    def _apply_losses(self, job: JobState, events: Sequence[Event], stamp: PollStamp) -> list[Event]:
        """Keep which targets are lost; return *events* without losses of targets that have finished."""
        kept: list[Event] = []
        for event in events:
            if isinstance(event, Lost):
                ref, before = event.ref, self.reported(event.ref)
                has_end = isinstance(before, Frozen) or is_shared(before)
                if has_end and job.has_finished(ref):
                    continue
                restored = before.restored if isinstance(before, Own) else None
                has_ended = isinstance(before, Own) and before.has_ended(ref)
                shared = SHARED if restored is not None else before if isinstance(before, Shared) else None
                counts = {} if shared is None else counts_by_step(restored or job, ref)
                ended = restored if has_ended else None
                self._reported[ref] = Frozen(stamp.sequence, event, counts, shared, ended)
                if has_ended:
                    # Its end was reported before this watch was opened; that it cannot be read any more changes nothing.
                    continue
            kept.append(event)
        return kept

    # The present state ----------------------------------------------------------------------------------------------

    def counts(self, job: JobState, refs: Collection[Ref]) -> Mapping[Phase, int]:
        """Return the host counts of *refs* by phase: of lost ones as they were reported last, of joining ones none."""
        followed = [ref for ref in refs if isinstance(self.reported(ref), Shared)]
        unseen = self._unseen.counts(followed)
        if job.ref in followed:
            return unseen + Counter(count_hosts(job, job.ref)) if unseen else count_hosts(job, job.ref)
        by_step: dict[StepRef, Mapping[Phase, int]] = {}
        for reported in map(self.reported, refs):
            if isinstance(reported, Frozen):
                by_step.update(reported.counts)
        for ref in followed:
            by_step.update(counts_by_step(job, ref))
        return sum(map(Counter, by_step.values()), unseen)

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
        shared: dict[Ref, Shared] = {}
        for ref in refs:
            reported = self.reported(ref)
            before = (
                reported.before if isinstance(reported, Frozen) and not has_gone_on(job, ref) else reported
            )
            if isinstance(before, Shared):
                shared[ref] = before
        known = tuple(ref for ref, each in shared.items() if each.since < since)
        lacking_end = {ref for ref, each in shared.items() if each.end_after is not None}
        parts = [diff(Missed(since, skipped), job, known)]
        # What was given first comes first: a job that was given behind its steps does not repeat them.
        for ref, each in sorted(shared.items(), key=lambda item: item[1].since):
            if each.since < since:
                continue
            # The reader knows nothing of these, unless it comes from before this watch or from inside their batch, or the
            # watch goes on with them.
            has_some = not since or each.since == partly_read or each.is_continued
            parts.append(diff(Missed(skipped=skipped and has_some), job, [ref], known))
            known += (ref,)
        for event in chain.from_iterable(parts):
            if not (isinstance(event, Finished) and event.ref in lacking_end):
                yield event
        for reported in map(self.reported, refs):
            if isinstance(reported, Frozen) and reported.since >= since and reported.ended is None:
                yield replace(reported.lost)


def has_gone_on(job: JobState, ref: Ref) -> bool:
    """Return True if a later poll showed a target again that is lost for this watch."""
    return ref not in job.lost or job.has_finished(ref)


def counts_by_step(job: JobState, ref: Ref) -> dict[StepRef, Mapping[Phase, int]]:
    """Return the host counts of each step of the job, or of the one step that *ref* is."""
    return {step.ref: step.hosts.statuses.counts() for step in job.steps if ref in (step.ref, job.ref)}


def concerns(event: Event, refs: Collection[Ref], job: JobState) -> bool:
    """Return True if *event* is about one of *refs*, or about a step of *job* if that is one of them.

    Of a target that is over nothing is awaited: that it is stalled concerns those alone who have yet to be given its end.
    """
    if isinstance(event, Stalled) and job.is_settled(event.ref):
        return False
    return event.ref is None or event.ref in refs or (job.ref in refs and isinstance(event, STEP_EVENTS))
