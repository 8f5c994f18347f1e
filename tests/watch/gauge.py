"""The gauge of the docstring of `HostCounts` and the state of a stream, and when they must agree with the watch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any

import bkjob_async as bkjob
from tests.watch.inside import log_of


class Gauge:
    """The gauge of the docstring, whose own lines are run with the other examples; here for targets that change."""

    def __init__(self) -> None:
        self.steps: dict[bkjob.StepRef, Counter[bkjob.Phase]] = defaultdict(Counter)

    def count(self, event: bkjob.Event) -> None:
        """Count one event, as the docstring says."""
        if isinstance(event, bkjob.HostCounts):
            self.steps[event.ref] = Counter(event.hosts)
        elif isinstance(event, bkjob.HostChanged):
            self.steps[event.ref][event.after.phase] += 1
            if event.before is not None:
                self.steps[event.ref][event.before.phase] -= 1

    def total(self, targets: Collection[bkjob.Ref]) -> Counter[bkjob.Phase]:
        """Return the sum of the steps which are *targets*, or whose jobs are."""
        watched = (step for step in self.steps if step in targets or step.job in targets)
        return sum((self.steps[step] for step in watched), Counter[bkjob.Phase]())

    def drop(self, ref: bkjob.Ref, targets: set[bkjob.Ref]) -> None:
        """Do what the docstring asks of whoever drops a target; *targets* are left."""
        for step in [step for step in self.steps if ref in (step, step.job)]:
            if not targets & {step, step.job}:
                del self.steps[step]


def forget(state: bkjob.StreamState, ref: bkjob.Ref, targets: set[bkjob.Ref]) -> None:
    """Forget a target that was dropped, but for what other *targets* have."""
    if ref.job not in targets and not any(target.job == ref.job for target in targets):
        state.forget(ref.job)
    elif isinstance(ref, bkjob.StepRef) and ref.job not in targets:
        state.forget(ref)
    elif ref == ref.job:
        job = state.snapshot(ref.job)
        for step in job.steps if isinstance(job, bkjob.JobSnapshot) else ():
            if step.ref not in targets:
                state.forget(step.ref)


def told_by(source: bkjob.StreamState | bkjob.Watch, targets: Collection[bkjob.Ref]) -> dict[bkjob.Ref, Any]:
    """Return what a state, or the watch itself, says of each target: its hosts by phase, and whether it is over."""
    found: dict[bkjob.Ref, Any] = {}
    for ref in targets:
        snapshot = source.snapshot(ref)
        found[ref] = dict(source.counts(ref)), snapshot is not None and snapshot.is_finished
    return found


def given_of(state: bkjob.StreamState, watch: bkjob.Watch, targets: Collection[bkjob.Ref]) -> list[bkjob.Ref]:
    """Return the targets of which the watch was given all: those that it does not join yet, of jobs of which nothing is lost.

    Of others a stream tells less, or more, than the watch shows: hosts of a joining job whose step is followed already,
    and nothing more of a lost target that another one's polls still show.
    """
    lost = {ref.job for ref, end in state.ends.items() if isinstance(end, bkjob.Lost)}
    return [ref for ref in targets if ref.job not in lost and watch.snapshot(ref) is not None]


def has_read_all(reader: bkjob.Reader[Any], watch: bkjob.Watch) -> bool:
    """Whether a reader has read all that a watch reported so far, and that is the whole present."""
    return watch.is_in_sync and has_read_all_there_is(reader, watch)


def has_read_all_there_is(reader: bkjob.Reader[Any], watch: bkjob.Watch) -> bool:
    """Whether a reader has read all that a watch reported so far."""
    position = reader._position
    return bool(position.place == log_of(watch).end) and position.backlog is None
