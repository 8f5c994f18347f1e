"""The events of a watch: one frozen class for each kind, and their union.

Each event has *ref* (its target; None: all targets), *cursor* (the place in the stream after it, within
its batch) and *at* (when it was read). The garbage collector does not track them, of which there may be hundreds of thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import ClassVar

from attrs import field, frozen
from msgspec import Struct

from bkjob_async.model.refs import HostKey, JobRef, Ref, StepRef
from bkjob_async.model.result import JobResult
from bkjob_async.model.status import HostStatus, Phase, RunStatus
from bkjob_async.model.text.printing import all_targets, counted, first_of, printable, tally

UNKNOWN_TIME = datetime.fromtimestamp(0, UTC)
"""The time of an event that has none: one that a program made, or an earlier version wrote."""


class StreamEvent(Struct, frozen=True, gc=False, kw_only=True, eq=False):
    """An item of a stream; *cursor* is the place after it, where a reader may continue.

    *at* is when the response that shows it was complete, by the clock of this machine, in UTC: one time for all events of
    a poll. It is kept by journals, and is `UNKNOWN_TIME` where nobody knows it. The clock may be set back; the order of
    events is that of their cursors. Of events in place of others that a reader missed it is when they were made.

    Events are equal where all but their cursors and times is, and have hashes.
    """

    kind: ClassVar[str]

    cursor: str = ""
    at: datetime = UNKNOWN_TIME

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in fields_told(type(self)))

    def __ne__(self, other: object) -> bool:
        return not self == other  # msgspec's own `__ne__` does not ask `__eq__`

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in fields_told(type(self))))

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields_told(type(self)))
        return f"{type(self).__name__}({facts})"


@cache
def fields_told(kind: type[StreamEvent]) -> tuple[str, ...]:
    """Return the names of all fields but the cursor and the time."""
    return tuple(name for name in kind.__struct_fields__ if name not in ("cursor", "at"))


class HostChanged(StreamEvent, frozen=True, kw_only=True):
    """The status of a host differs from that at the previous poll.

    *before* is None when a host is first seen in an execution. *epoch* counts the executions and reopenings
    of the step that this watch has seen; *execute_count* is the platform's own count. *skipped*: changes
    before this one were dropped, because the reader was late.

    Where a step divides the source files of a transfer into batches, each host has a row for every batch, and
    responses do not say for which (bk-job's `GseStepEventHandler`). The host has failed from when any of its
    rows has; otherwise it runs, waits between two batches and runs again, and succeeds when all have. Of
    equal outcomes the one with the largest exit code counts, then the last tag. *tag* is
    "" where the platform reports none, and None where it is unknown: tags and exit codes of hosts that did
    not fail are not kept for readers that join later.

    *ref* is the step, *host* has all names of the host that are known, *after* is its new status, *exit_code*
    that of its script, None where unknown, and while the host has not ended.

    *start_time* and *end_time* are those of the host itself, in the execution that it is shown in, by the clocks of the
    platform, in UTC. They are None where the platform gave none, *end_time* also while the host has not ended. Some dialects
    never have them (`esb-job`), and of hosts that did not fail they are not kept for readers that join later. A host that did
    not run again in a retry has those of its last run.
    """

    kind: ClassVar[str] = "host_changed"

    ref: StepRef
    host: HostKey
    execute_count: int
    before: HostStatus | None
    after: HostStatus
    tag: str | None = None
    exit_code: int | None = None
    epoch: int = 0
    skipped: bool = False
    start_time: datetime | None = None
    end_time: datetime | None = None

    def __str__(self) -> str:
        extra = f" ({self.after.name})" if self.after.is_finished and not self.after.is_success else ""
        if self.before is not None and self.before.phase is self.after.phase:
            extra = ""  # the names are shown already
        run = f" #{self.execute_count}" if self.execute_count else ""
        return printable(f"{self.ref}{run} {self.host} {_change(self.before, self.after)}{extra}")


class HostCounts(StreamEvent, frozen=True, kw_only=True):
    """How many hosts of a step are in each phase, where the changes alone would not add up to it.

    It is emitted when another execution begins: hosts of the last one do not count any more, and *hosts* is
    empty until the first of the new one is seen. It is also emitted after changes that replace dropped ones.
    Between two of them each `HostChanged` adds a host to the phase of its `after`, and removes one from that
    of its `before`, if any. So this gauge equals `Watch.counts()` whenever it has read all events:

    >>> gauge = defaultdict(Counter)
    >>> async with client.watch(job) as watch:
    ...     async for event in watch:
    ...         if isinstance(event, bkjob.HostCounts):
    ...             gauge[event.ref] = Counter(event.hosts)
    ...         elif isinstance(event, bkjob.HostChanged):
    ...             gauge[event.ref][event.after.phase] += 1
    ...             if event.before is not None:
    ...                 gauge[event.ref][event.before.phase] -= 1
    >>> sum(gauge.values(), Counter()) == Counter(watch.counts())
    True

    Of a watch whose targets change, the sum is that of the steps which are targets, or whose jobs are. A `Lost` target
    counts as the watch reported it last. There is no event for a dropped target: remove its steps from the gauge,
    except for those that other targets have, once what was reported before was read. A later watch emits its whole
    present state, and begins with an empty gauge.

    *ref* is the step, *execute_count* its execution, from 0.
    """

    kind: ClassVar[str] = "host_counts"

    ref: StepRef
    execute_count: int
    hosts: Mapping[Phase, int]

    def __hash__(self) -> int:
        return hash((self.ref, self.execute_count))  # a mapping has no hash

    def __str__(self) -> str:
        run = f" #{self.execute_count}" if self.execute_count else ""
        return printable(f"{self.ref}{run} hosts: {tally(self.hosts) or 'none yet'}")


class StepChanged(StreamEvent, frozen=True, kw_only=True):
    """A step has another status, or began another execution.

    *ref* is the step and *name* its name. *before* is None when it is seen for the first time, *after* its
    new status; *is_finished*: that status is final. *execute_count* is its execution, from 0; *epoch* counts
    the executions and reopenings that this watch has seen. *skipped*: changes before this one were dropped,
    because the reader was late.
    """

    kind: ClassVar[str] = "step_changed"

    ref: StepRef
    execute_count: int
    before: RunStatus | None
    after: RunStatus
    is_finished: bool
    name: str = ""
    epoch: int = 0
    skipped: bool = False

    def __str__(self) -> str:
        run = f" #{self.execute_count}" if self.execute_count else ""
        return printable(f"{self.ref}{run} step {_change(self.before, self.after)}")


class StepWaiting(StreamEvent, frozen=True, kw_only=True):
    """A step waits for a user: a rolling step before its next batch, or a step that is to be confirmed.

    Each wait is an event of its own, after the changes of the hosts that led to it, also where the step is seen
    waiting again and no poll saw it run in between. A wait is reported where a poll shows that the status has
    changed to 7, waiting for a user, or that more hosts have ended, and where the step still waits 15 seconds after an
    operation of this client that the platform accepted. So a program that confirms at each `StepWaiting`, and
    nowhere else, gets through a rolling step, however short its batches are:

    >>> async with client.watch(job) as watch:
    ...     async for event in watch:
    ...         if isinstance(event, bkjob.StepWaiting):
    ...             await client.operate_step_instance(event.ref, bkjob.StepOperation.ROLLING_CONTINUE)

    It is not promised for every wait where somebody else confirms between two polls, nor with
    `DetailLevel.END_ONLY`: hosts are not read then before their step is over.

    *ref* is the step, *execute_count* its execution, from 0. *wait* counts the waits of this execution that were
    seen, from 1. *hosts_done* is the number of hosts that were seen to have ended, with or without success.
    *skipped*: earlier events were dropped, because the reader was late.
    """

    kind: ClassVar[str] = "step_waiting"

    ref: StepRef
    execute_count: int
    wait: int
    hosts_done: int = 0
    skipped: bool = False

    def __str__(self) -> str:
        run = f" #{self.execute_count}" if self.execute_count else ""
        done = counted(self.hosts_done, "host")
        return printable(f"{self.ref}{run} step waits for a user ({self.wait}): {done} done")


class JobChanged(StreamEvent, frozen=True, kw_only=True):
    """A job has another status.

    *ref* is the job and *name* its name. *before* is None when it is seen for the first time, *after* its new
    status; *is_finished*: that status is final. *epoch* counts the reopenings that this watch has seen.
    *skipped*: changes before this one were dropped, because the reader was late.
    """

    kind: ClassVar[str] = "job_changed"

    ref: JobRef
    before: RunStatus | None
    after: RunStatus
    is_finished: bool
    name: str = ""
    epoch: int = 0
    skipped: bool = False

    def __str__(self) -> str:
        return printable(f"{self.ref} job {_change(self.before, self.after)}")


class InSync(StreamEvent, frozen=True, kw_only=True):
    """All events before it are the present state; all events after it are changes.

    A target in `Trouble` does not hold it up: what is first seen of that one comes later, with no status before.

    *ref* is None: it is about all targets.
    """

    kind: ClassVar[str] = "in_sync"

    ref: None = None

    def __str__(self) -> str:
        return "in sync"


class Resumed(StreamEvent, frozen=True, kw_only=True):
    """A watch with a journal continues what an earlier one recorded: its first event, in every opening but the first.

    *term* counts the openings; *gap* is for how many seconds it was not watched. What changed meanwhile follows as ordinary
    changes, and `InSync` when every target was read again.

    *ref* is None: it is about all targets.
    """

    kind: ClassVar[str] = "resumed"

    term: int
    gap: float
    ref: None = None

    def __str__(self) -> str:
        return f"resumed after {self.gap:.0f} s (opening {self.term})"


class Finished(StreamEvent, frozen=True, kw_only=True):
    """A watched target is over, its hosts settled; here is how it ended.

    *ref* is the target, *result* what it came to. *epoch* counts its executions and reopenings. *skipped*: the reader was
    late, or the store of a journal lost what was told; the same end may have been told before: deduplicate by *ref* and
    *epoch*.
    """

    kind: ClassVar[str] = "finished"

    ref: Ref
    result: JobResult
    epoch: int = 0
    skipped: bool = False

    def __str__(self) -> str:
        counts = tally(self.result.hosts)
        return printable(
            f"{self.ref} finished {self.result.status.phase}" + (f": {counts}" if counts else "")
        )


class Reopened(StreamEvent, frozen=True, kw_only=True):
    """A target that was over is running again: a retry, a restart, the next step.

    *ref* is the target. *epoch* counts its executions and reopenings, and is one more than before.
    """

    kind: ClassVar[str] = "reopened"

    ref: Ref
    epoch: int

    def __str__(self) -> str:
        return printable(f"{self.ref} reopened")


class Trouble(StreamEvent, frozen=True, kw_only=True):
    """Polling fails; that says nothing about the job.

    *ref* is None when the whole gateway or the credentials fail; *targets* is the number affected. The class
    of *error* says who must act. *skipped*: earlier events of this kind were dropped.

    *message* is the text of the error.
    """

    kind: ClassVar[str] = "trouble"

    ref: Ref | None
    error: str
    message: str
    targets: int = 1
    skipped: bool = False

    def __str__(self) -> str:
        where = str(self.ref) if self.ref else all_targets(self.targets)
        return printable(f"{where} trouble: {self.error}: {self.message}")


class Recovered(StreamEvent, frozen=True, kw_only=True):
    """Polling works again, or a journal; *skipped*: earlier events of this kind were dropped.

    *ref* is the target, None for the whole gateway; *targets* is the number affected. *error* is `JournalUnavailable` when
    the store of the journal answers again, and empty when polls succeed: both may be in trouble at once.
    """

    kind: ClassVar[str] = "recovered"

    ref: Ref | None
    targets: int = 1
    skipped: bool = False
    error: str = ""

    def __str__(self) -> str:
        trouble = f" from {self.error}" if self.error else ""
        return printable(f"{self.ref or all_targets(self.targets)} recovered{trouble}")


class LostReason(StrEnum):
    """Why a target cannot be watched any more."""

    GONE = "gone"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"


class Lost(StreamEvent, frozen=True, kw_only=True):
    """A target cannot be read any more; that is not a failure of the job.

    *ref* is the target, *reason* a `LostReason`, *message* the platform's text.
    """

    kind: ClassVar[str] = "lost"

    ref: Ref
    reason: LostReason
    message: str = ""

    def __str__(self) -> str:
        return printable(f"{self.ref} lost: {self.reason.value.replace('_', ' ')}")


class Stalled(StreamEvent, frozen=True, kw_only=True):
    """No response about a target was received for *seconds*.

    *ref* is the target.
    """

    kind: ClassVar[str] = "stalled"

    ref: Ref
    seconds: float

    def __str__(self) -> str:
        return printable(f"{self.ref} stalled: not seen for {self.seconds:.0f} s")


Event = (
    HostChanged
    | HostCounts
    | StepChanged
    | StepWaiting
    | JobChanged
    | InSync
    | Resumed
    | Finished
    | Reopened
    | Trouble
    | Recovered
    | Lost
    | Stalled
)


@frozen
class Batch:
    """All events of one poll; *sequence* is its place in the stream, *cursor* the place after it.

    *events* is a tuple. *at* is the time of its events. *size* is how many events the poll had, of which a watch may be given
    only some; 0 where it is not known.
    """

    sequence: int
    events: tuple[Event, ...]
    cursor: str = field(default="", eq=False)
    at: datetime = field(default=UNKNOWN_TIME, eq=False, kw_only=True)
    size: int = field(default=0, eq=False, kw_only=True)

    @property
    def job(self) -> JobRef | None:
        """The job that it is about; None for all targets or several jobs.

        A batch is about several jobs where it replaces events that a late reader missed.
        """
        jobs = {ref.job for ref in {event.ref for event in self.events} if ref is not None}
        return jobs.pop() if len(jobs) == 1 else None

    def __str__(self) -> str:
        count = counted(len(self.events), "event")
        return f"#{self.sequence} {count}" + (f": {first_of(self.events)}" if self.events else "")

    def __repr__(self) -> str:
        return f"<Batch {self}>"


def _change(before: HostStatus | RunStatus | None, after: HostStatus | RunStatus) -> str:
    """Return a change of status as text: by phases, and by the platform's names where both are in one phase."""
    if before is not None and before.phase is after.phase:
        return f"{before.name} → {after.name}"
    return f"{before.phase if before else '∅'} → {after.phase}"
