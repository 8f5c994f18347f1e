"""What is to be reported of a job: the difference between its reported state and its state, as events.

| reported is | what has changed | the status before |
| --- | --- | --- |
| a state | what differs from it | the reported one |
| a place in the stream, `Missed` | what changed in that batch or later | that before the last change, if it is marked `skipped` |
| nothing, `NOTHING` | all that is known | none |

The events are ordered like those of a poll: hosts before step before job. Applied to the reported state, they make the state of
it (`job_events`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.host_table.changes import NO_CHANGES, StatusChanges
from bkjob_async.engine.stream.host_events import host_events
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.engine.tracking.job_views import finished_event, job_changed
from bkjob_async.engine.tracking.run_state import NOT_STARTED
from bkjob_async.engine.tracking.step_state import StepState
from bkjob_async.engine.tracking.step_views import host_counts, step_changed, step_waiting
from bkjob_async.model.events import Event, HostChanged, Reopened
from bkjob_async.model.refs import Ref


class Missed(Struct, frozen=True, gc=False):
    """A place in the stream in place of a reported state: all before batch *since* was reported.

    *skipped* marks the events: the reader was given some of what led to them.
    """

    since: int = 0
    skipped: bool = False


NOTHING = Missed()
ReportedState = JobState | Missed


def diff(
    reported: ReportedState, job: JobState, targets: Collection[Ref], known: Collection[Ref] = ()
) -> Iterator[Event]:
    """Yield what is to be reported of *targets*, so that after it the state of the job is reported.

    Of steps that belong to *known* targets all but `Finished` was reported.
    """
    has_job, skipped = job.ref in targets, isinstance(reported, Missed) and reported.skipped
    is_reopened, has_changed, before = job_difference(reported, job) if has_job else (False, False, None)
    if is_reopened:
        yield Reopened(ref=job.ref, epoch=job.epoch)
    if has_changed and not job.announced.finished:
        yield job_changed(job, before, skipped=skipped)
    for step in job.steps:
        is_target = step.ref in targets
        if not (has_job or is_target):
            continue
        difference = step_difference(reported, step)
        if step.ref not in known and job.ref not in known:
            yield from step_events(step, difference, skipped=skipped)
        if is_target and step.announced.finished and difference.status:
            yield finished_event(job, step.ref, skipped=skipped)
    if has_changed and job.announced.finished:
        yield job_changed(job, before, skipped=skipped)
        yield finished_event(job, job.ref, skipped=skipped)


def job_difference(reported: ReportedState, job: JobState) -> tuple[bool, bool, int | None]:
    """Return whether the job was reopened, whether its own status has changed, and the reported code."""
    if job.announced.code is None:
        return False, False, None
    if isinstance(reported, Missed):
        return False, job.announced_sequence >= reported.since, None
    has_changed = reported.announced != job.announced
    is_reopened = reported.announced.finished and (
        has_changed or any(has_gone_on(reported, step) for step in job.steps)
    )
    return is_reopened, has_changed or is_reopened, reported.announced.code


def has_gone_on(reported: JobState, step: StepState) -> bool:
    """Return True if a step has changed otherwise than that it is over now, or is not any more.

    That is announced where the step is followed by itself, and not where the job alone is.
    """
    known = reported.find_step(step.ref.step_instance_id)
    if known is not None and known.announced.code is not None:
        before, now = known.announced, step.announced
        if before[:2] == now[:2] and before.finished != now.finished:
            return False
    return step_difference(reported, step).is_any


# One step -----------------------------------------------------------------------------------------------------------


class StepDifference(NamedTuple):
    """What has changed of a step: its *hosts*, its *status*, whose code was *before*; whether it waits for a user since.

    *is_reopened*: it was over. *forgets_hosts*: hosts of an earlier execution were reported. *counts* are reported
    where hosts may have changed more than once.
    """

    hosts: StatusChanges
    status: bool
    before: int | None = None
    is_waiting: bool = False
    is_reopened: bool = False
    forgets_hosts: bool = False
    counts: bool = False

    @property
    def is_any(self) -> bool:
        """Whether there is any."""
        return self.status or self.is_waiting or self.is_reopened or self.forgets_hosts or bool(self.hosts)


def step_difference(reported: ReportedState, step: StepState) -> StepDifference:
    """Return what is to be reported of a step."""
    if isinstance(reported, Missed):
        since, skipped = reported.since, reported.skipped
        hosts, statuses = step.hosts.statuses.changes_since(since), step.hosts.statuses
        return StepDifference(
            hosts if skipped else replace(hosts, befores=[None] * len(hosts.places)),
            step.announced.code is not None and step.announced_sequence >= since,
            is_waiting=step.waits.is_present and step.waits.sequence >= since,
            counts=skipped and statuses.has_changed(since),
        )
    known = reported.find_step(step.ref.step_instance_id)
    if known is None or known.status_code is None:
        return step_difference(NOTHING, step)
    is_new_execution = known.execute_count != step.execute_count
    has_changed = known.announced != step.announced
    is_same_end = not has_changed and known.announced.finished and known.epoch == step.epoch
    never_began = is_same_end and known.announced.code == NOT_STARTED
    # What is listed of it, be it for another watch, waits for ever (`apply_step_view`).
    hosts, forgets = NO_CHANGES, False
    if not never_began:
        hosts, forgets = host_difference(known, step, is_new_execution=is_new_execution)
    is_reopened = known.announced.finished and (is_new_execution or has_changed or forgets or bool(hosts))
    return StepDifference(
        hosts,
        step.announced.code is not None and (is_reopened or has_changed),
        known.announced.code,
        is_waiting=step.waits.is_present and (forgets or not is_same_wait(known, step)),
        is_reopened=is_reopened,
        forgets_hosts=forgets,
    )


def host_difference(
    known: StepState, step: StepState, *, is_new_execution: bool
) -> tuple[StatusChanges, bool]:
    """Return which hosts of a step have another status than they were reported with, and whether reported ones are forgotten.

    They are where another execution began, or the reported one anew, after a database was restored from before it: then
    hosts that were reported are not seen. All that are seen are reported anew.
    """
    reported, codes = known.hosts.statuses.codes(), step.hosts.statuses.codes()
    places = known.hosts.find_hosts(step.hosts.keys)
    befores = [reported[place] if place >= 0 else None for place in places]
    forgets = (is_new_execution and known.hosts.size > 0) or any(
        code is None and before is not None for code, before in zip(codes, befores, strict=True)
    )
    if forgets:
        befores = [None] * len(codes)
    changed = [
        (place, before, code)
        for place, (before, code) in enumerate(zip(befores, codes, strict=True))
        if code is not None and before != code
    ]
    return StatusChanges(
        [place for place, _, _ in changed],
        [before for _, before, _ in changed],
        [code for _, _, code in changed],
        [None] * len(changed),
    ), forgets


def step_events(step: StepState, difference: StepDifference, *, skipped: bool) -> Iterator[Event]:
    """Yield the events of a difference."""
    is_over = difference.status and step.announced.finished
    if difference.is_reopened:
        yield Reopened(ref=step.ref, epoch=step.epoch)
    if difference.forgets_hosts:
        yield host_counts(StepState(step.ref, execute_count=step.execute_count))
    if difference.status and not is_over:
        yield step_changed(step, difference.before, skipped=skipped)
    if difference.hosts:
        yield from changes_of_hosts(step, difference.hosts, skipped=skipped)
    if difference.counts:
        yield host_counts(step)
    if difference.is_waiting:
        yield step_waiting(step, skipped=skipped)
    if is_over:
        yield step_changed(step, difference.before, skipped=skipped)


def changes_of_hosts(step: StepState, changes: StatusChanges, *, skipped: bool) -> list[HostChanged]:
    """Return the events of hosts whose status has changed."""
    details = [step.failure_at(place) for place in changes.places]
    return host_events(
        step.ref,
        step.hosts.keys_at(changes.places),
        changes.befores,
        changes.afters,
        tags=[each.tag if each else None for each in details],
        exit_codes=[each.exit_code if each else None for each in details],
        start_times=[each.times.start_time if each else None for each in details],
        end_times=[each.times.end_time if each else None for each in details],
        execute_count=step.execute_count,
        epoch=step.epoch,
        skipped=skipped,
    )


# Waits for a user ---------------------------------------------------------------------------------------------------


def is_same_wait(known: StepState, step: StepState) -> bool:
    """Return True if a step still waits for a user as it was reported: no more of its host rows have ended."""
    if not known.waits.is_present or known.execute_count != step.execute_count:
        return False
    before, rows = known.waits.rows, step.waits.rows
    return before is None or rows is None or rows[0] <= before[0]


def continue_waits(reported: JobState, job: JobState) -> None:
    """Count the waits of steps for a user on from those that were *reported*."""
    for step in job.steps:
        known = reported.find_step(step.ref.step_instance_id)
        if known is not None and known.execute_count == step.execute_count and known.waits.count:
            is_next = step.waits.is_present and not is_same_wait(known, step)
            count = max(step.waits.count, known.waits.count + is_next)
            step.waits = replace(step.waits, count=count)
