"""The present state of the targets of one watch, as it was reported to its readers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from msgspec import Struct, field

from bkjob_async.engine.delivery.target_delivery import TargetDelivery
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import count_hosts, target_result, target_snapshot
from bkjob_async.model.events import Event, Lost
from bkjob_async.model.refs import JobRef, Ref
from bkjob_async.model.result import JobResult
from bkjob_async.model.snapshot import JobSnapshot, StepSnapshot
from bkjob_async.model.status import Phase
from bkjob_async.watch.phase_totals import PhaseTotals
from bkjob_async.watch.stream.readers import MissedJob
from bkjob_async.watch.stream.targets import TargetSet

# While fewer jobs are to be counted again, the targets need not be counted all anew.
FEW_CHANGED = 512


class TargetStates(Struct, eq=False):
    """Snapshots, results and counts of the *targets* of one watch, and what readers are given that fell behind.

    Readers were served by *delivery*; *polled* returns the state of a job.

    Hosts are counted when counts are first read, and then again for each job that has changed. After the end of the watch
    all stay as they were then, whatever other watches see.
    """

    targets: TargetSet
    delivery: TargetDelivery
    polled: Callable[[JobRef], JobState | None]
    _totals: PhaseTotals | None = None
    _changed: set[JobRef] = field(default_factory=set)
    # The state of each job when the watch ended, for readers that come later.
    _final: dict[JobRef, JobState] = field(default_factory=dict)

    def keep(self, job: JobRef, state: JobState) -> None:
        """Show this state of a job from now on."""
        self._final[job] = state

    # For readers that fell behind -----------------------------------------------------------------------------------

    def jobs(self) -> dict[JobRef, object]:
        """Return a new dict whose keys are the jobs that targets belong to."""
        return self.targets.copy_of_jobs()

    def has_target(self, ref: Ref) -> bool:
        """Return True when *ref* is a target."""
        return ref in self.targets

    def state(self, job: JobRef) -> JobState | None:
        """Return the state of a job that is watched here, or was when the watch ended."""
        if job in self._final:
            return self._final[job]
        return self.polled(job) if self.targets.of(job) else None

    def present(self, state: JobState, missed: MissedJob) -> Iterator[Event]:
        """Yield the present state of a job, as far as it has changed since a reader *missed* its events."""
        refs = self.targets.of(state.ref)
        return self.delivery.present(
            state, refs, missed.since, skipped=missed.skipped, partly_read=missed.partly_read
        )

    # For callers ----------------------------------------------------------------------------------------------------

    def state_of(self, ref: Ref) -> JobState | None:
        """Return the state of the job that *ref* belongs to, None while its present state is not known here."""
        if not self.delivery.has_reported(ref, self.targets.of(ref.job)):
            return None
        return self.delivery.ended_before(ref) or self.state(ref.job)

    def has_ended_before(self, ref: Ref) -> bool:
        """Return whether *ref* had ended before the watch was opened, and cannot be read now."""
        return self.delivery.ended_before(ref) is not None

    def snapshot(self, ref: Ref) -> JobSnapshot | StepSnapshot | None:
        """Return *ref* as last seen, None before it was seen."""
        state = self.state_of(ref)
        return target_snapshot(state, ref) if state is not None else None

    def earlier_ends(self, ended: Collection[Ref]) -> dict[Ref, JobResult | Lost]:
        """Return how targets ended that are not among those *ended*: before this watch was opened."""
        found: dict[Ref, JobResult | Lost] = {}
        for ref in self.targets:
            state = None if ref in ended else self.state_of(ref)
            loss = None if ref in ended else self.delivery.loss_of(ref)
            if loss is not None:
                found[ref] = loss
            elif state is not None and state.has_finished(ref):
                found[ref] = target_result(state, ref)
        return found

    def mark_changed(self, job: JobRef) -> None:
        """Count the hosts of *job* again next time."""
        if self._totals is not None:
            self._changed.add(job)
            if len(self._changed) > max(FEW_CHANGED, self.targets.size):
                self._totals, self._changed = None, set()  # to count all targets anew is no more work

    def total_counts(self) -> Mapping[Phase, int]:
        """Return the host counts of all targets by phase."""
        if self._totals is None:
            self._totals = PhaseTotals()
            self._changed.update(self.targets.copy_of_jobs())
        for job in self._changed:
            state = self.state(job)
            counts = {} if state is None else self.delivery.counts(state, self.targets.of(job))
            self._totals.replace(job, counts)
        self._changed = set()
        return {phase: number for phase, number in self._totals.total.items() if number}

    def counts(self, ref: Ref) -> Mapping[Phase, int]:
        """Return the host counts of one target, or of one step of a watched job, by phase."""
        state = self.state_of(ref)
        if state is None:
            return {}
        if self.delivery.is_given_by_job(ref, self.targets.of(ref.job)):
            return count_hosts(state, ref)
        return self.delivery.counts(state, (ref,))


class LastSeen(Mapping[Ref, JobSnapshot | StepSnapshot | None]):
    """The last snapshots of some targets; each is created when it is looked up."""

    def __init__(
        self, refs: Sequence[Ref], snapshot: Callable[[Ref], JobSnapshot | StepSnapshot | None]
    ) -> None:
        """Hold *refs*; *snapshot* returns that of one."""
        self._refs = dict.fromkeys(refs)
        self._snapshot = snapshot

    def __getitem__(self, ref: Ref) -> JobSnapshot | StepSnapshot | None:
        self._refs[ref]
        return self._snapshot(ref)

    def __iter__(self) -> Iterator[Ref]:
        return iter(self._refs)

    def __len__(self) -> int:
        return len(self._refs)
