"""Hosts that the journal of a watch recorded, and that the present states of its jobs do not have.

An example. A step runs on host A in two batches, and the process is restarted between them. Another watch of the same
client reads the step first, when no batch is listed:

    recorded     A SUCCESS
    state        no host             A is kept here: the watch was given SUCCESS
    next poll    A ∅ → PENDING       the other watch is given this
                 A SUCCESS → PENDING this watch is given that, and A is kept here no more
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.tracking.job_state import JobState
from bkjob_async.model.events import Event, HostChanged, HostCounts, StepChanged
from bkjob_async.model.refs import Ref, StepRef
from bkjob_async.model.status import HostStatus, Phase, host_status


class RecordedHosts(Struct, frozen=True):
    """The unseen hosts of one execution of a step: the *statuses* that were reported, by their places in *table*."""

    execute_count: int
    table: HostTable
    statuses: dict[int, HostStatus]


class UnseenHosts:
    """The recorded statuses of hosts that the states of one watch's jobs do not have, in `steps` by step."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps: dict[StepRef, RecordedHosts] = {}

    def keep(self, recorded: JobState, job: JobState, targets: Collection[Ref]) -> None:
        """Keep what was *recorded* of the *targets* of a job, and is not in its present state."""
        for step in job.steps:
            known = recorded.find_step(step.ref.step_instance_id)
            if (
                known is None
                or known.execute_count != step.execute_count
                or (job.ref not in targets and step.ref not in targets)
            ):
                continue
            statuses_before = known.hosts.statuses.changes_since()
            places = step.hosts.find_hosts(known.hosts.keys_at(statuses_before.places))
            statuses = {
                place: host_status(code)
                for place, code, found in zip(
                    statuses_before.places, statuses_before.afters, places, strict=True
                )
                if found < 0  # else it is seen, or forgotten with the execution that was reported
            }
            if statuses:
                self.steps[step.ref] = RecordedHosts(step.execute_count, known.hosts, statuses)

    def forget(self, ref: Ref) -> None:
        """Forget the hosts of *ref*, which is not a target any more."""
        for step in [step for step in self.steps if ref in (step, step.job)]:
            del self.steps[step]

    def has_any_of(self, refs: Collection[Ref]) -> bool:
        """Return True if there are hosts of one of *refs*."""
        return any(step in refs or step.job in refs for step in self.steps)

    def counts(self, refs: Collection[Ref]) -> Counter[Phase]:
        """Return how many hosts of *refs* there are in each phase."""
        return Counter(
            status.phase
            for step, hosts in self.steps.items()
            if step in refs or step.job in refs
            for status in hosts.statuses.values()
        )

    def continued(self, events: Iterable[Event]) -> list[Event]:
        """Return *events* with the recorded status of each host as the one before; without those that change nothing."""
        found: list[Event] = []
        for (kind, ref), some in groupby(events, lambda event: (type(event), event.ref)):
            hosts = self.steps.get(ref) if isinstance(ref, StepRef) else None
            if hosts is not None and kind is HostChanged:
                found += self._with_befores(hosts, cast("list[HostChanged]", [*some]))
                continue
            for event in some:
                found.append(event)
                if hosts is None or not isinstance(event, HostCounts | StepChanged):
                    continue
                forgets = isinstance(event, HostCounts) and not event.hosts
                if forgets or event.execute_count != hosts.execute_count:
                    self.steps.pop(event.ref, None)
        return found

    def _with_befores(self, hosts: RecordedHosts, changes: Sequence[HostChanged]) -> Iterator[HostChanged]:
        """Yield the *changes* of a step with the recorded status as the one before; nothing where both are the same."""
        places = hosts.table.find_hosts([change.host for change in changes])
        for place, change in zip(places, changes, strict=True):
            before = None
            if change.before is None and change.execute_count == hosts.execute_count:
                before = hosts.statuses.pop(place, None)
            if before is None:
                yield change
            elif before != change.after:
                yield replace(change, before=before)
        if not hosts.statuses:
            self.steps.pop(changes[0].ref, None)
