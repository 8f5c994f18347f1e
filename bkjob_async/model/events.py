"""What a watch tells: the closed union of its events.

Each event has *ref* (what it is about; None: the whole client), and *cursor* (the place in the stream behind it, within
the batch that it came in).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import ClassVar

from attrs import field, frozen

from bkjob_async.model.printing import counted, first_of, printable, tally
from bkjob_async.model.refs import HostKey, JobRef, Ref, StepRef
from bkjob_async.model.result import JobResult
from bkjob_async.model.status import HostStatus, Phase, RunStatus


@frozen(kw_only=True)
class StreamEvent:
    """What stands somewhere in a stream: behind *index* events of the batch that *cursor* names, itself among them.

    Without an index, *cursor* is the place in full.
    """

    _cursor: str = field(default="", alias="cursor", eq=False, repr=False)
    _index: int = field(default=0, alias="index", eq=False, repr=False)

    @property
    def cursor(self) -> str:
        """The place behind this event, where a reader may continue."""
        return f"{self._cursor}.{self._index}" if self._index else self._cursor


@frozen(kw_only=True)
class HostChanged(StreamEvent):
    """A host stands elsewhere than at the engine's previous look.

    *before* is None at first sight in an execution. *epoch* counts the executions and reopenings of the step as this watch
    saw them; *execute_count* is the platform's own count. *skipped*: changes before this one were compacted away.

    A host of several rolling batches is told by the row with the worst outcome, unfinished while any of them is; of equal
    outcomes the one with the largest exit code, then the last tag. *tag* is "" where the platform said that there is none,
    and None where it is not known here: tags and exit codes of hosts that did not fail are not kept for readers who join
    later.
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

    def __str__(self) -> str:
        before = self.before.phase if self.before else "∅"
        extra = f" ({self.after.name})" if self.after.is_finished and not self.after.is_success else ""
        run = f" #{self.execute_count}" if self.execute_count else ""
        return printable(f"{self.ref}{run} {self.host} {before} → {self.after.phase}{extra}")


@frozen(kw_only=True)
class HostCounts(StreamEvent):
    """How many hosts of a step stand in each phase, where changes alone would not add up to it.

    It comes when another execution begins: those of the one before count no more, and *hosts* is empty until the first of
    the new one is seen. And it comes behind the changes that are told in place of what was compacted away. From one to the
    next each `HostChanged` adds a host to the phase of its `after`, and takes one from that of its `before`, if any. So
    this gauge stands where `Watch.counts()` does whenever it has read all that was told::

        gauge = defaultdict(Counter)

        def count(event):
            if isinstance(event, HostCounts):
                gauge[event.ref] = Counter(event.hosts)
            elif isinstance(event, HostChanged):
                gauge[event.ref][event.after.phase] += 1
                if event.before is not None:
                    gauge[event.ref][event.before.phase] -= 1

        def total(targets):
            watched = (step for step in gauge if step in targets or step.job in targets)
            return sum((gauge[step] for step in watched), Counter())

    What is `Lost` counts as it was last seen. No event tells what was dropped: whoever drops a target, and may add it again,
    removes its steps from the gauge. A later watch tells its whole present, and begins with an empty gauge.
    """

    kind: ClassVar[str] = "host_counts"

    ref: StepRef
    execute_count: int
    hosts: Mapping[Phase, int]

    def __str__(self) -> str:
        run = f" #{self.execute_count}" if self.execute_count else ""
        return printable(f"{self.ref}{run} hosts: {tally(self.hosts) or 'none yet'}")


@frozen(kw_only=True)
class StepChanged(StreamEvent):
    """A step has another status, or began another execution."""

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
        return printable(
            f"{self.ref}{run} step {self.before.phase if self.before else '∅'} → {self.after.phase}"
        )


@frozen(kw_only=True)
class JobChanged(StreamEvent):
    """A job has another status."""

    kind: ClassVar[str] = "job_changed"

    ref: JobRef
    before: RunStatus | None
    after: RunStatus
    is_finished: bool
    name: str = ""
    epoch: int = 0
    skipped: bool = False

    def __str__(self) -> str:
        return printable(f"{self.ref} job {self.before.phase if self.before else '∅'} → {self.after.phase}")


@frozen(kw_only=True)
class InSync(StreamEvent):
    """Everything before was the present; everything from here on is news."""

    kind: ClassVar[str] = "in_sync"

    ref: None = None

    def __str__(self) -> str:
        return "in sync"


@frozen(kw_only=True)
class Resumed(StreamEvent):
    """A watch with a journal continues what an earlier one recorded: its first event, in every opening but the first.

    *term* counts the openings; *gap* is for how many seconds nobody watched. What changed meanwhile follows as ordinary
    changes, and `InSync` when every target was read again.
    """

    kind: ClassVar[str] = "resumed"

    term: int
    gap: float
    ref: None = None

    def __str__(self) -> str:
        return f"resumed after {self.gap:.0f} s, for the {self.term - 1}. time"


@frozen(kw_only=True)
class Finished(StreamEvent):
    """A watched target is over, its hosts settled; here is how it ended."""

    kind: ClassVar[str] = "finished"

    ref: Ref
    result: JobResult
    epoch: int = 0

    def __str__(self) -> str:
        counts = tally(self.result.hosts)
        return printable(
            f"{self.ref} finished {self.result.status.phase}" + (f": {counts}" if counts else "")
        )


@frozen(kw_only=True)
class Reopened(StreamEvent):
    """A target that was over runs again: a retry, a restart, the next step."""

    kind: ClassVar[str] = "reopened"

    ref: Ref
    epoch: int

    def __str__(self) -> str:
        return printable(f"{self.ref} reopened")


@frozen(kw_only=True)
class Trouble(StreamEvent):
    """Polling fails; nothing is known to be wrong with the job.

    *ref* is None when the whole gateway or the credentials are the trouble; *targets* is the number affected.
    *error* names the class and says who must act. *skipped*: what was said of it before was compacted away.
    """

    kind: ClassVar[str] = "trouble"

    ref: Ref | None
    error: str
    message: str
    targets: int = 1
    skipped: bool = False

    def __str__(self) -> str:
        where = str(self.ref) if self.ref else f"all {self.targets} targets"
        return printable(f"{where} trouble: {self.error}: {self.message}")


@frozen(kw_only=True)
class Recovered(StreamEvent):
    """Polling works again; *skipped*: what was said of it before was compacted away."""

    kind: ClassVar[str] = "recovered"

    ref: Ref | None
    targets: int = 1
    skipped: bool = False

    def __str__(self) -> str:
        return printable(f"{self.ref or f'all {self.targets} targets'} recovered")


class LostReason(StrEnum):
    """Why a target can be watched no longer."""

    GONE = "gone"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"


@frozen(kw_only=True)
class Lost(StreamEvent):
    """A target can no longer be read; that is not a failure of the job."""

    kind: ClassVar[str] = "lost"

    ref: Ref
    reason: LostReason
    message: str = ""

    def __str__(self) -> str:
        return printable(f"{self.ref} lost: {self.reason.value.replace('_', ' ')}")


@frozen(kw_only=True)
class Stalled(StreamEvent):
    """Nothing could be seen of a target for *seconds*."""

    kind: ClassVar[str] = "stalled"

    ref: Ref
    seconds: float

    def __str__(self) -> str:
        return printable(f"{self.ref} stalled: not seen for {self.seconds:.0f} s")


Event = (
    HostChanged
    | HostCounts
    | StepChanged
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
    """What one poll revealed, whole; *sequence* is its place in the stream, *cursor* the place behind all of it.

    *events* is like a tuple of them; those of hosts are only made when somebody reads them.
    """

    sequence: int
    events: Sequence[Event]
    cursor: str = field(default="", eq=False)

    def __str__(self) -> str:
        count = counted(len(self.events), "event")
        return f"#{self.sequence} {count}" + (f": {first_of(self.events)}" if self.events else "")

    def __repr__(self) -> str:
        return f"<Batch {self}>"


def index_of(event: Event) -> int:
    """Return how many events of its batch a reader has had that has had *event*; 0 where it has no such place."""
    return event._index  # noqa: SLF001 - its own module's


def give_index(event: Event, index: int) -> None:
    """Give a new *event*, which nobody has read yet, its place in its batch."""
    object.__setattr__(event, "_index", index)
