"""A row of a board: one target, as far as events say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from attrs import define, field

import bkjob_async as bkjob
from bkjob_async.cli.phases import OPEN, UNSUCCESSFUL
from bkjob_async.model.status import Phase
from bkjob_async.model.text.printing import printable

ATTENTION, RUNNING, PENDING, OVER = range(4)
NO_COUNTS: Mapping[Phase, int] = {}


@define(eq=False)
class BoardStep:
    """A step of a row: its name and phase as reported last."""

    name: str = ""
    phase: Phase = Phase.PENDING


@define(eq=False)
class TargetRow:
    """One target: what it is called, where it stands, and its hosts by phase.

    *phase* is None before it was seen. *began_at* and *ends_at* are on the clock of the board, *took* is in seconds; all
    are None where they are unknown.
    """

    ref: bkjob.Ref
    name: str = ""
    phase: Phase | None = None
    is_over: bool = False
    counts: Mapping[Phase, int] = NO_COUNTS
    steps: dict[bkjob.StepRef, BoardStep] = field(factory=dict)
    current: bkjob.StepRef | None = None
    is_lost: bool = False
    trouble: str = ""
    began_at: float | None = None
    ends_at: float | None = None
    took: float | None = None

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
        to_come = sum(1 for step in self.steps.values() if step.phase is Phase.PENDING)
        begun = len(self.steps) - to_come
        if self.is_over or not to_come or not begun or not self.counts:
            return self.counts
        more = max(1, self.total // begun) * to_come
        return {**self.counts, Phase.PENDING: self.counts.get(Phase.PENDING, 0) + more}

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


def apply_notice(row: TargetRow, event: bkjob.Event, now: float) -> bool:
    """Apply an event about the job of a row; return whether the row may have changed."""
    if isinstance(event, bkjob.StepChanged) and row.ref != event.ref:
        return apply_step(row, event)
    if row.ref != event.ref:
        return False
    match event:
        case bkjob.JobChanged() | bkjob.StepChanged():
            row.name = event.name or row.name
            set_phase(row, event.after.phase, now)
        case bkjob.Finished():
            row.is_over, row.ends_at, row.took = True, None, duration_of(event, row.began_at, now)
        case bkjob.Reopened():
            row.is_over, row.began_at, row.took = False, None, None
        case bkjob.Lost():
            row.is_lost = row.is_over = True
            row.trouble = f"lost: {event.reason.value.replace('_', ' ')}"
        case bkjob.Trouble():
            row.trouble = f"{event.error}: {event.message}"
        case bkjob.Stalled():
            row.trouble = f"not seen for {event.seconds:.0f} s"
        case (
            bkjob.HostChanged()
            | bkjob.HostCounts()
            | bkjob.StepWaiting()
            | bkjob.InSync()
            | bkjob.Resumed()
            | bkjob.Recovered()
        ):
            pass  # `StepChanged` says that a step waits; hosts are counted, and a row whose job was read again is in trouble no longer
        case _:
            assert_never(event)
    return True


def duration_of(event: bkjob.Finished, began_at: float | None, now: float) -> float | None:
    """Return how long a target took: as the platform says, else as the board saw it."""
    times = event.result.times
    if times.total_time is not None:
        return times.total_time
    if times.start_time is not None and times.end_time is not None:
        return (times.end_time - times.start_time).total_seconds()
    return None if began_at is None else now - began_at


def apply_step(row: TargetRow, event: bkjob.StepChanged) -> bool:
    """Apply the change of a step to the row of its job."""
    if isinstance(row.ref, bkjob.StepRef):
        return False
    step = row.steps.setdefault(event.ref, BoardStep())
    step.name, step.phase = event.name or step.name, event.after.phase
    if step.phase is not Phase.PENDING:
        row.current = event.ref
    return True


def set_phase(row: TargetRow, phase: Phase, now: float) -> None:
    """Set the phase of a row; one that begins to run, or runs again, began now, until more is known."""
    if phase is Phase.RUNNING and row.phase not in {None, Phase.RUNNING} and row.began_at is None:
        row.began_at = now
    row.phase = phase
