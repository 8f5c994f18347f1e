"""Where one job and its watched steps stand: what answers showed, and what readers were told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

from attrs import evolve
from msgspec import Struct

from bkjob_async.engine.host_table.encoding import NO_TIMES, AnnouncedState, unpacked_times
from bkjob_async.engine.tracking.poll_failures import NONE, PollFailures
from bkjob_async.engine.tracking.poll_state import PollState
from bkjob_async.engine.tracking.settling import SETTLE_BOUND
from bkjob_async.engine.tracking.step_state import NOT_STARTED, RUNNING, span
from bkjob_async.engine.tracking.step_tracker import StepTracker
from bkjob_async.model.detail_level import DetailLevel
from bkjob_async.model.events import Event, Finished, JobChanged, Lost
from bkjob_async.model.refs import JobRef, Ref, StepRef
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot, Times
from bkjob_async.model.status import Phase, run_status

V = TypeVar("V")

PENDING_SOON = 30.0


class JobState(Struct, eq=False, gc=False):
    """All that is known of one job instance, and what readers were told.

    One story serves every watch of the job and of its steps, so that nothing is asked twice and nothing told twice.
    Somebody watches the job itself, with all its steps (`whole`), or `singles` of its steps, or both. `pending` are questions left of the present round, by step (0 for the
    job), `polled_via_step` says that it began with a step that speaks for the job. It was seen running since `running_since`; the
    last operation on it went out at `operated_at`.

    The collector of cycles passes over it, for there may be a hundred thousand: nothing in it may lead back to it.
    """

    ref: JobRef
    operated_at: float | None = None
    whole: bool = False
    singles: tuple[StepRef, ...] = ()
    steps: tuple[StepTracker, ...] = ()
    name: str = ""
    seen: int | None = None
    seen_at: float | None = None
    first_asked_at: float | None = None
    epoch: int = 0
    detail_level: DetailLevel = DetailLevel.EVERY_CHANGE
    pending: tuple[int, ...] = ()
    job_seen_at: float | None = None
    polled_via_step: bool = False
    poll_failures: PollFailures = NONE
    ended: tuple[tuple[Ref, float | None], ...] = ()
    pace: PollState | None = None
    running_since: float | None = None
    _announced: AnnouncedState | None = None
    _sequence: int = 0
    _times: bytes = NO_TIMES
    _closing_since: float | None = None
    _began_at: float | None = None
    _alive_at: float | None = None

    # What is wanted -------------------------------------------------------------------------------------------------

    def want(self, ref: Ref) -> None:
        """Make *ref* (this job, or a step of it) a target."""
        if not isinstance(ref, StepRef):
            self.whole = True
        elif ref not in self.singles:
            known = self.known_step(ref.step_instance_id)
            if known is None:
                self.steps = (*self.steps, known := StepTracker(ref))
            self.singles = (*self.singles, known.ref)  # one object for one step: it is compared all the time

    def unwant(self, ref: Ref) -> None:
        """Let go of a target; what is followed no longer does not go on settling from here when it is again."""
        if isinstance(ref, StepRef):
            self.singles = tuple(other for other in self.singles if other != ref)
        else:
            self.whole = False
            self._closing_since = None
        if not self.whole:
            for tracker in self.steps:
                if tracker.ref not in self.singles:
                    tracker.set_aside()
        self.seek_again(ref)

    def seek_again(self, ref: Ref) -> None:
        """Take a target that was given up for one that may be there after all."""
        if ref in self.lost:
            self.poll_failures = evolve(self.poll_failures, lost=without(self.lost, ref))

    @property
    def targets(self) -> tuple[Ref, ...]:
        """What somebody watches: the job itself, single steps of it, or both."""
        return (self.ref, *self.singles) if self.whole else self.singles

    def tracker(self, step_instance_id: int) -> StepTracker:
        """Return the step's tracker, a new one at first sight."""
        known = self.known_step(step_instance_id)
        if known is None:
            known = StepTracker(self.ref.step(step_instance_id))
            self.steps = (*self.steps, known)
        return known

    def known_step(self, step_instance_id: int) -> StepTracker | None:
        """Return the step's tracker, None where it was neither seen nor wanted."""
        for tracker in self.steps:
            if tracker.ref.step_instance_id == step_instance_id:
                return tracker
        return None

    def open_steps(self) -> list[StepTracker]:
        """Return the watched steps that are not over."""
        lost, found = self.poll_failures.lost, list[StepTracker]()
        for tracker in self.steps:
            wanted = self.whole or (tracker.ref in self.singles and not (lost and tracker.ref in lost))
            if wanted and not tracker.finished:
                found.append(tracker)
        return found

    @property
    def lost(self) -> Mapping[Ref, Lost]:
        """The targets that were given up."""
        return self.poll_failures.lost

    def is_over(self, ref: Ref) -> bool:
        """Whether a target was announced finished or lost."""
        return ref in self.lost or self.has_finished(ref)

    def has_finished(self, ref: Ref) -> bool:
        """Whether a target was announced finished and has not run since."""
        if isinstance(ref, StepRef):
            known = self.known_step(ref.step_instance_id)
            return known is not None and known.finished
        return self.finished

    def is_shown(self, ref: Ref, now: float) -> bool:
        """Whether what was told of a target is what its last answer showed: nothing of it settles or is in doubt."""
        if not self.was_read(ref):
            return False
        if isinstance(ref, StepRef):
            is_closing = self.tracker(ref.step_instance_id).is_closing
        else:
            is_closing = self.has_closing_step() or (self._closing_since is not None and not self.finished)
        return not is_closing and (not self.has_finished(ref) or self.is_settled(ref, now))

    def is_settled(self, ref: Ref, now: float) -> bool:
        """Whether a target is over and nothing that was just done can have changed that."""
        lost = self.poll_failures.lost
        if lost and ref in lost:
            return True
        if ref is self.ref or not isinstance(ref, StepRef):
            return self.finished and not self._is_doubtful(self._alive_at, now)
        known = self.known_step(ref.step_instance_id)
        return known is not None and known.finished and not self._is_doubtful(known.alive_at, now)

    def all_settled(self, now: float) -> bool:
        """Whether every target is settled."""
        if self.whole and not self.is_settled(self.ref, now):
            return False
        for ref in self.singles:  # noqa: SIM110 - asked at every look, and mostly there is one
            if not self.is_settled(ref, now):
                return False
        return True

    def was_read(self, ref: Ref) -> bool:
        """Whether any answer ever spoke of *ref*."""
        if isinstance(ref, StepRef):
            known = self.known_step(ref.step_instance_id)
            return known is not None and known.seen is not None
        return self.seen is not None

    def in_sync(self, ref: Ref) -> bool:
        """Whether all that can be known of *ref* by now was read, or it cannot be read."""
        if ref in self.lost or self.poll_failures.troubled:
            return True
        return self.was_read(ref) and not self.pending

    @property
    def finished(self) -> bool:
        """Whether the job itself was announced finished and has not run since."""
        return self._announced is not None and self._announced[2]

    def _changed(self, before: int | None, cursor: str, *, skipped: bool = False) -> JobChanged:
        assert self._announced is not None  # noqa: S101 - only what was announced is told
        code, _, finished = self._announced
        return JobChanged(
            ref=self.ref,
            before=None if before is None else run_status(before),
            after=run_status(code),
            is_finished=finished,
            name=self.name,
            epoch=self.epoch,
            skipped=skipped,
            cursor=cursor,
        )

    def _is_doubtful(self, alive_at: float | None, now: float) -> bool:
        """Whether a final status may be the one before an operation: nothing was seen to run or change since."""
        since = self.operated_at
        if since is None or now >= since + SETTLE_BOUND:
            return False
        return alive_at is None or alive_at < since

    def has_doubtful_step(self) -> bool:
        """Whether the end of a step that is a target by itself may be the one before an operation."""
        if self.operated_at is None:
            return False
        now = self.seen_at or 0.0
        return any(
            tracker.finished and tracker.ref in self.singles and self._is_doubtful(tracker.alive_at, now)
            for tracker in self.steps
        )

    def end_of(self, ref: Ref, cursor: str) -> Finished:
        """Return how a target ended, as an event."""
        epoch = self.tracker(ref.step_instance_id).epoch if isinstance(ref, StepRef) else self.epoch
        return Finished(ref=ref, result=self.result(ref), epoch=epoch, cursor=cursor)

    # How often to look ----------------------------------------------------------------------------------------------

    def is_settling(self, now: float, open_steps: Sequence[StepTracker] | None = None) -> bool:
        """Whether a final status has shown whose details may still move; *open_steps* where they are at hand."""
        if self.operated_at is not None and self._is_doubtful(None, now):
            return True
        if self.whole and self._closing_since is not None and not self.finished:
            return True
        if not self.has_closing_step():
            return False  # nearly always, and cheaper than asking which of them are wanted
        return any(
            tracker.is_closing for tracker in (self.open_steps() if open_steps is None else open_steps)
        )

    def has_closing_step(self) -> bool:
        """Whether a step, wanted or not, shows a final status that was not announced yet."""
        for tracker in self.steps:  # noqa: SIM110 - asked at every look, and mostly there is one
            if tracker.is_closing:
                return True
        return False

    def is_waiting(self, now: float, open_steps: Sequence[StepTracker] | None = None) -> bool:
        """Whether everything stands still until a user acts.

        What was just created starts by itself within moments; what has been pending for long waits for somebody.
        """
        trackers = self.open_steps() if open_steps is None else open_steps
        codes = [tracker.seen for tracker in trackers if tracker.started]
        if RUNNING in codes:
            return False
        if self.whole and self.seen is not None and not codes:
            codes = [self.seen]
        phases = {run_status(code).phase for code in codes if code is not None}
        if phases == {Phase.PENDING}:
            return self.first_asked_at is not None and now - self.first_asked_at > PENDING_SOON
        return bool(phases) and phases <= {Phase.WAITING, Phase.PENDING}

    def age(self, now: float) -> float:
        """Return how long, in seconds, what now runs has been seen running."""
        since = [each.running_since for each in self.open_steps() if each.running_since is not None]
        if not since and self.running_since is not None:
            since = [self.running_since]
        return now - max(since) if since else 0.0

    @property
    def times(self) -> Times:
        """When the job was created, began and ended, as last told with a new status."""
        return unpacked_times(self._times)

    @property
    def seen_for(self) -> float | None:
        """How long the job was seen running before it was seen over; None where its start was not seen."""
        return span(self._began_at, self._closing_since)

    @property
    def is_operated(self) -> bool:
        """Whether an operation went out that may have interfered with this run."""
        return self.operated_at is not None

    # How it stands --------------------------------------------------------------------------------------------------

    def result(self, ref: Ref) -> JobResult:
        """Return how a target ended, or where it stands."""
        if isinstance(ref, StepRef):
            step = self.tracker(ref.step_instance_id).result()
            return JobResult(ref=ref, status=step.status, name=step.name, times=step.times, steps=(step,))
        code = self.seen if self.seen is not None else NOT_STARTED
        return JobResult(
            ref=ref,
            status=run_status(code),
            name=self.name,
            times=self.times,
            steps=tuple(tracker.result() for tracker in self.steps),
        )

    def counts(self, ref: Ref) -> dict[Phase, int]:
        """Count a target's hosts by phase, in the present execution of each step."""
        total: Counter[Phase] = Counter()
        for tracker in self.steps:
            if ref in (self.ref, tracker.ref):
                total.update(tracker.hosts.counts())
        return dict(total)

    def snapshot(self, ref: Ref) -> JobSnapshot | StepSnapshot | None:
        """Return a target as last seen, None before it was."""
        if not self.was_read(ref):
            return None
        if isinstance(ref, StepRef):
            return self.tracker(ref.step_instance_id).snapshot()
        assert self.seen is not None  # noqa: S101 - it was read
        return JobSnapshot(
            ref=self.ref,
            status=run_status(self.seen),
            is_finished=self.finished,
            name=self.name,
            times=self.times,
            steps=tuple(tracker.snapshot() for tracker in self.steps),
        )

    def present(
        self,
        targets: Collection[Ref],
        cursor: str,
        *,
        since: int = 0,
        skipped: bool = False,
        known: Collection[Ref] = (),
    ) -> Iterator[Event]:
        """Yield where everything stands, hosts before step before job.

        Of steps that belong to *known* targets only ends are left to be told.
        """
        whole = self.ref in targets
        told = self._announced is not None and self._sequence >= since
        if whole and told and not self.finished:
            yield self._changed(None, cursor, skipped=skipped)
        for tracker in self.steps:
            is_target = tracker.ref in targets
            if (whole or is_target) and not (tracker.ref in known or self.ref in known):
                yield from tracker.present(cursor, since=since, skipped=skipped)
            if is_target and tracker.finished and tracker.sequence >= since:
                yield self.end_of(tracker.ref, cursor)
        if whole and told and self.finished:
            yield self._changed(None, cursor, skipped=skipped)
            yield self.end_of(self.ref, cursor)


def without(mapping: Mapping[Ref, V], ref: Ref) -> Mapping[Ref, V]:
    """Return *mapping* without *ref*."""
    return {key: value for key, value in mapping.items() if key != ref} if ref in mapping else mapping
