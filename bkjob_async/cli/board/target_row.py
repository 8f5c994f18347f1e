"""A row of a board: one target, as far as events say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable
from bkjob_async.report.phases import OPEN, UNSUCCESSFUL

ATTENTION, RUNNING, PENDING, OVER = range(4)
NO_COUNTS: Mapping[Phase, int] = {}


@define(eq=False)
class TargetRow:
    """One target: how it was reported last, its hosts by phase, and the times that the board has seen or was told.

    *snapshot* is None before it was seen, *end* while it runs, *trouble* while it can be polled; *stalled* is for how many
    seconds it was not seen when that was reported. *began_at* and *ends_at* are on the clock of the board, *took* is in
    seconds; all are None where they are unknown.
    """

    ref: bkjob.Ref
    snapshot: bkjob.JobSnapshot | bkjob.StepSnapshot | None = None
    end: bkjob.Finished | bkjob.Lost | None = None
    polling_trouble: bkjob.Trouble | None = None
    stalled: float | None = None
    counts: Mapping[Phase, int] = field(default=NO_COUNTS)
    began_at: float | None = None
    ends_at: float | None = None
    took: float | None = None

    def update(self, state: bkjob.StreamState, now: float) -> None:
        """Take over what the *state* says; one that begins to run, or runs again, began now, until more is known."""
        before, self.snapshot = self.phase, state.snapshot(self.ref)
        self.end, self.polling_trouble = state.ends.get(self.ref), state.trouble.get(self.ref)
        if self.phase is Phase.RUNNING and before not in {None, Phase.RUNNING} and self.began_at is None:
            self.began_at = now

    def note(self, event: bkjob.Event, now: float) -> None:
        """Take over what an event about this target says of times."""
        if isinstance(event, bkjob.Finished):
            self.ends_at, self.took = None, duration_of(event, self.began_at, now)
        elif isinstance(event, bkjob.Reopened):
            self.began_at = self.took = None
        elif isinstance(event, bkjob.Stalled):
            self.stalled = event.seconds

    # As it was reported last ----------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What it is called, empty text where that is not known."""
        return "" if self.snapshot is None else self.snapshot.name

    @property
    def phase(self) -> Phase | None:
        """Its phase, None before it was seen."""
        return None if self.snapshot is None else self.snapshot.status.phase

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or cannot be read any more."""
        return self.end is not None

    @property
    def is_lost(self) -> bool:
        """Whether it cannot be read any more."""
        return isinstance(self.end, bkjob.Lost)

    @property
    def trouble(self) -> str:
        """Why it cannot be read, or is not, empty text for no reason."""
        if isinstance(self.end, bkjob.Lost):
            return f"lost: {self.end.reason.value.replace('_', ' ')}"
        if self.stalled is not None:
            return f"not seen for {self.stalled:.0f} s"
        trouble = self.polling_trouble
        return "" if trouble is None else f"{trouble.error}: {trouble.message}"

    @property
    def steps(self) -> Sequence[bkjob.StepSnapshot]:
        """The steps of a job that were reported, in the order of their first events."""
        return self.snapshot.steps if isinstance(self.snapshot, bkjob.JobSnapshot) else ()

    def name_of(self, ref: bkjob.StepRef) -> str:
        """Return what a step of a job is called, empty text where that is not known."""
        return next((step.name for step in self.steps if step.ref == ref), "")

    # Its hosts ------------------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """The number of hosts."""
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        """The number of hosts that are over."""
        return sum(count for phase, count in self.counts.items() if phase not in OPEN)

    @property
    def failed(self) -> int:
        """The number of hosts that are over without success."""
        return sum(count for phase, count in self.counts.items() if phase in UNSUCCESSFUL)

    @property
    def expected_counts(self) -> Mapping[Phase, int]:
        """The hosts by phase, with pending ones for the steps to come: as many as the steps before them have on average."""
        to_come = sum(1 for step in self.steps if step.status.phase is Phase.PENDING)
        begun = len(self.steps) - to_come
        if self.is_over or not to_come or not begun or not self.counts:
            return self.counts
        more = max(1, self.total // begun) * to_come
        return {**self.counts, Phase.PENDING: self.counts.get(Phase.PENDING, 0) + more}

    # What is shown --------------------------------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """Whether nothing goes on until a person acts."""
        return self.phase is Phase.WAITING and not self.is_over

    @property
    def shown_phase(self) -> Phase:
        """The phase that its sign stands for: unknown where it is lost, pending where it was not seen yet."""
        return Phase.UNKNOWN if self.is_lost else self.phase or Phase.PENDING

    @property
    def title(self) -> str:
        """The name, or the ref where there is none."""
        return printable(self.name) if self.name else str(self.ref)

    @property
    def counted_as(self) -> Sequence[str]:
        """What the head counts it as: the names of figures there."""
        holds = {
            "over": self.is_over,
            "with_failures": self.failed > 0 or self.phase in UNSUCCESSFUL,
            "waiting": self.waits,
            "lost": self.is_lost,
        }
        return [name for name, does in holds.items() if does]

    @property
    def group(self) -> int:
        """The part of the board that the row belongs to."""
        if self.is_lost or self.phase in UNSUCCESSFUL or self.waits:
            return ATTENTION
        if self.is_over:
            return OVER
        if self.failed:
            return ATTENTION
        return RUNNING if self.phase in {Phase.RUNNING, Phase.STOPPING} else PENDING

    @property
    def order(self) -> tuple[int, bool, int, int, int]:
        """The place of the row: those that wait for a person, then those with most failures come first."""
        group, step = self.group, self.ref.step_instance_id if isinstance(self.ref, bkjob.StepRef) else 0
        is_urgent = group == ATTENTION
        return (
            group,
            not (is_urgent and self.waits),
            -self.failed * is_urgent,
            self.ref.job.job_instance_id,
            step,
        )


def duration_of(event: bkjob.Finished, began_at: float | None, now: float) -> float | None:
    """Return how long a target took: as the platform says, else as the board saw it."""
    times = event.result.times
    if times.total_time is not None:
        return times.total_time
    if times.start_time is not None and times.end_time is not None:
        return (times.end_time - times.start_time).total_seconds()
    return None if began_at is None else now - began_at
