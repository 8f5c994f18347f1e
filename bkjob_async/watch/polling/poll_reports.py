"""Report polls to observers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

from msgspec import Struct

from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.next_request import PollRequest
from bkjob_async.model.events import Event
from bkjob_async.model.operations.queries import GetJobInstanceList
from bkjob_async.model.poll_view import PollView, StepPollView
from bkjob_async.model.refs import Ref
from bkjob_async.model.status import UNFINISHED_RUN_CODES
from bkjob_async.observe.dispatch import ObserverDispatch
from bkjob_async.observe.observer import NO_EVENTS, PollCompleted
from bkjob_async.watch.polling.polling_load import PhaseCounts
from bkjob_async.watch.polling.target_registry import PollTarget, TargetRegistry

ActiveTimes = tuple[float | None, list[float | None]]
LagBounds = tuple[tuple[Ref, float], ...]


class PollReports(Struct, eq=False):
    """Reports each poll of the targets in *registry* to the observers, if any of them listens to polls, and counts events."""

    observe: ObserverDispatch
    registry: TargetRegistry
    phases: PhaseCounts

    def report(
        self,
        target: PollTarget | None,
        request: PollRequest | GetJobInstanceList,
        seconds: float,
        *,
        decode_seconds: float = 0.0,
        events: Sequence[Event] = (),
        lags: LagBounds = (),
        error: str | None = None,
    ) -> None:
        """Report a poll to the observers that listen to it, before its *events* are delivered.

        *target* is None for a list, *error* the class of what it failed with.
        """
        is_quiet = not events and error is None
        if not (self.observe.wants_quiet_polls if is_quiet else self.observe.wants_polls):
            return
        watches = () if target is None else self.registry.subscribers_of(target)
        counts = count_by_kind(events) if events else NO_EVENTS
        self.observe(
            PollCompleted(
                client=self.observe.client,
                ref=None if isinstance(request, GetJobInstanceList) else request.ref,
                operation=request.name,
                seconds=seconds,
                events=sum(counts.values()),
                error=error,
                events_by_kind=counts,
                decode_seconds=decode_seconds,
                lag_bounds=lags,
                watches=tuple([subscriber.number for subscriber in watches]),
            )
        )

    def count(self, target: PollTarget, events: Sequence[Event], lags: LagBounds = ()) -> None:
        """Count the *events* of a poll, and the *lags* with which it showed ends."""
        counters = self.observe.counters
        if counters is not None:
            self.phases.mark_changed(target.ref)
            counters.events.update(count_by_kind(events))
            counters.add_lags(lags)


def active_times(target: JobState, view: PollView) -> ActiveTimes | None:
    """Return when a job and each of its steps was last seen unfinished; None if *view* cannot show the end of a target."""
    goes_on = view.status in UNFINISHED_RUN_CODES if view.finished is None else not view.finished
    if goes_on and (isinstance(view, StepPollView) or not target.target_steps):
        return None
    return target.active_at, [step.active_at for step in target.steps]


def lag_bounds(target: JobState, before: ActiveTimes, now: float) -> LagBounds:
    """Return the targets of a job that were first seen finished at *now*, each with the bounds of how late that was.

    *before* is what `active_times` returned before the poll. A target that was over when it was first seen has no bound.
    """
    bounds: list[tuple[Ref, float]] = []
    job_active_at, steps_active_at = before
    if target.is_target and target.settling_since == now == target.active_at and job_active_at is not None:
        bounds.append((target.ref, now - job_active_at))
    if target.target_steps:
        for step, active_at in zip(target.steps, steps_active_at, strict=False):
            settling = step.progress.settling
            ended = step.announced.finished if settling is None else settling.since == now
            if ended and step.active_at == now and active_at is not None and step.ref in target.target_steps:
                bounds.append((step.ref, now - active_at))
    return tuple(bounds)


def count_by_kind(events: Sequence[Event]) -> Mapping[str, int]:
    """Return how many events there are of each kind."""
    return dict(Counter(map(attrgetter("kind"), events)))
