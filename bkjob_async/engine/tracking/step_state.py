"""The state of one step instance: plain data."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define
from msgspec import Struct, field

from bkjob_async.engine.group_polling.group_poller import GroupPoller
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.tracking.run_state import NOT_STARTED, RunState
from bkjob_async.model.poll_view import NamedRow
from bkjob_async.model.refs import StepRef
from bkjob_async.model.snapshot import HostSnapshot

CONFIRMATION = 3  # a type of step: a user confirms, and there are no hosts

# A step is taken to show no hosts after this many refusals in a row, until they are requested again; HOSTS_HIDDEN is
# beyond any count: it is a confirmation, which has none.
REFUSALS, HOSTS_HIDDEN = 3, 1000


# Rows that do not settle are waited for SETTLE_BOUND seconds; where none can be read at all, because requests
# for them fail, UNREAD_BOUND seconds.
SETTLE_BOUND = 15.0
UNREAD_BOUND = 120.0

# A rolling step that ignores errors shows code 6 between two batches, although 6 is a final code.
PROVISIONAL = 6


@define(eq=False, weakref_slot=False)
class Settling:
    """A final status that is not announced yet, because details may still change.

    *since* is when it was first seen. *first_rows_at* is when a response first listed all hosts under it.
    *tried_at* is when they were last requested, with or without success: while the platform is not reached, nobody waits
    for them. *all_rows_read*: the last response listed all hosts. *rows_settled*: none of them was unfinished.
    """

    since: float
    first_rows_at: float | None = None
    tried_at: float | None = None
    all_rows_read: bool = False
    rows_settled: bool = False


class StepWaits(Struct, frozen=True, gc=False):
    """The waits for a user in one execution of a step.

    *count* is how many were reported, the last one in batch *sequence*. *is_shown*: the step was last seen waiting.
    *is_due*: that wait is not reported yet, because its hosts are still to be read. *is_confirmed*: an operation
    that ends it was accepted since. *rows* is how many host rows had ended then, and how many there were; None
    where they were not read.
    """

    count: int = 0
    sequence: int = 0
    is_shown: bool = False
    is_due: bool = False
    is_confirmed: bool = False
    rows: tuple[int, int] | None = None

    @property
    def is_present(self) -> bool:
        """Whether the step waits, that was reported, and nothing says that the wait is over."""
        return self.is_shown and not self.is_due and not self.is_confirmed


NO_WAITS = StepWaits()
WAIT_DUE = StepWaits(is_shown=True, is_due=True)
WAIT_CONFIRMED = StepWaits(is_shown=True, is_confirmed=True)


@define(eq=False, weakref_slot=False)
class StepProgress:
    """State that only few steps need: those that settle, are large, began anew, or were passed by the job.

    *is_first_of_execution*: the present status is the first one seen in its execution. *is_passed*: the job
    has gone on to a later step. *is_unread*: the job ran again since the step was announced finished, so that its hosts
    may have moved, though it looks as before; they are read before the job is over. *is_large*: it listed more than
    `MAX_FULL_READ_HOSTS` hosts, which are not followed before it is over. *outdated_since*: since then all responses,
    *outdated_responses* of them, showed an earlier execution. *distrusted_since*: since then no response had rows that were
    all believed.
    """

    settling: Settling | None = None
    group_poller: GroupPoller | None = None
    is_first_of_execution: bool = False
    is_passed: bool = False
    is_unread: bool = False
    is_large: bool = False
    outdated_since: float | None = None
    outdated_responses: int = 0
    distrusted_since: float | None = None


# Shared defaults of steps without progress or hosts of their own: never changed.
NO_PROGRESS = StepProgress()
NO_HOSTS = HostTable()


class StepState(RunState[StepRef], eq=False, gc=False):
    """What is known of one step instance.

    `host_refusals` counts how often in a row the platform refused to list the step's hosts. `digest` is that of
    the last response if all its rows were believed, else 0. `execution_began_at` is when polls saw its present execution
    begin to run, and `execution_seconds` how long they saw it run to its end; None where either was not seen. `failures` are
    the rows of the hosts that failed, by place, which `failure_at` reads; a host that no response listed has a snapshot.

    There may be a hundred thousand steps, so the garbage collector does not track them: nothing that a step
    refers to may refer back to it.
    """

    type: int | None = None
    execute_count: int = 0
    host_refusals: int = 0
    hosts: HostTable = field(default_factory=lambda: NO_HOSTS)
    failures: dict[int, NamedRow | HostSnapshot] | None = None
    progress: StepProgress = NO_PROGRESS
    digest: int = 0
    execution_began_at: float | None = None
    execution_seconds: float | None = None
    waits: StepWaits = NO_WAITS

    def failure_at(self, place: int) -> HostSnapshot | None:
        """Return the details of the failed host at *place*, None where none are kept."""
        kept = None if self.failures is None else self.failures.get(place)
        return kept if kept is None or isinstance(kept, HostSnapshot) else kept.details()

    def forget_failures(self, places: Iterable[int]) -> None:
        """Forget the details of hosts that are not failed any more."""
        if self.failures is not None:
            for place in self.failures.keys() & places:
                del self.failures[place]

    def own_progress(self) -> StepProgress:
        """Return the step's own progress, to be changed."""
        if self.progress is NO_PROGRESS:
            self.progress = StepProgress()
        return self.progress

    def stop_settling(self) -> None:
        """Forget what is in progress: the step is no longer a target."""
        progress = self.progress
        if progress is not NO_PROGRESS:
            progress.settling = progress.group_poller = None
            progress.outdated_since = progress.distrusted_since = None
            progress.is_unread = False

    @property
    def started(self) -> bool:
        """Whether the platform showed a status after pending."""
        return self.status_code is not None and self.status_code != NOT_STARTED

    @property
    def hosts_visible(self) -> bool:
        """Whether the platform lists the step's hosts, as far as is known."""
        return self.host_refusals < REFUSALS

    def may_show_hosts(self, now: float) -> bool:
        """Return True while a final status settles, so that refusals to list hosts may still be a passing error."""
        settling = self.progress.settling
        return settling is not None and now - settling.since < SETTLE_BOUND

    @property
    def is_provisional(self) -> bool:
        """Whether the present status, if it is final, may be that of a batch, or of the execution before."""
        progress = self.progress
        return not progress.is_passed and (self.status_code == PROVISIONAL or progress.is_first_of_execution)

    @property
    def needs_rows(self) -> bool:
        """Whether host rows of this step are still to be read."""
        return self.host_refusals < REFUSALS and self.started and not self.announced.finished
