"""The state of one step instance: plain data."""

from __future__ import annotations

from attrs import define
from msgspec import Struct, field

from bkjob_async.engine.group_polling.group_poller import GroupPoller
from bkjob_async.engine.host_table.failure_details import FailureDetails
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.tracking.packed_times import NO_TIMES, unpacked_times
from bkjob_async.engine.tracking.run_state import AnnouncedState
from bkjob_async.model.refs import StepRef
from bkjob_async.model.snapshot import Times

NOT_STARTED, RUNNING = 1, 2
CONFIRMATION = 3  # a type of step: a user confirms, and there are no hosts

# A step is taken to show no hosts after this many refusals in a row; HOSTS_HIDDEN is beyond any count.
REFUSALS, HOSTS_HIDDEN = 3, 1000


@define(eq=False, weakref_slot=False)
class Settling:
    """A final status that is not announced yet, because details may still change.

    *since* is when it was first seen. *first_rows_at* is when a response first listed all hosts under it.
    *all_rows_read*: the last response listed all hosts. *rows_settled*: none of them was unfinished.
    """

    since: float
    first_rows_at: float | None = None
    all_rows_read: bool = False
    rows_settled: bool = False


@define(eq=False, weakref_slot=False)
class StepProgress:
    """State that only few steps need: those that settle, are large, began anew, or were passed by the job.

    *is_first_of_execution*: the present status is the first one seen in its execution. *is_passed*: the job
    has gone on to a later step. *outdated_since*: since then all responses, *outdated_responses* of them, showed
    an earlier execution.
    """

    settling: Settling | None = None
    group_poller: GroupPoller | None = None
    is_first_of_execution: bool = False
    is_passed: bool = False
    outdated_since: float | None = None
    outdated_responses: int = 0


# Shared defaults of steps without progress or hosts of their own: never changed.
NO_PROGRESS = StepProgress()
NO_HOSTS = HostTable()


class StepState(Struct, eq=False, gc=False):
    """What is known of one step instance.

    `status_code` is the last one that the platform showed, `announced` what was announced to readers: (code,
    execute_count, finished). They differ while a final status settles. `host_refusals` counts how often in a
    row the platform refused to list the step's hosts. The step was seen running since `running_since`;
    `start_seen_at` is the same where it was seen pending before, else None. `active_at` is when it was last
    seen unfinished or changed. `digest` is that of the last response if all its rows were believed, else 0.

    There may be a hundred thousand steps, so the garbage collector does not track them: nothing that a step
    refers to may refer back to it.
    """

    ref: StepRef
    name: str = ""
    type: int | None = None
    status_code: int | None = None
    announced: AnnouncedState | None = None
    announced_sequence: int = 0
    execute_count: int = 0
    epoch: int = 0
    host_refusals: int = 0
    active_at: float | None = None
    running_since: float | None = None
    start_seen_at: float | None = None
    raw_times: bytes = NO_TIMES
    hosts: HostTable = field(default_factory=lambda: NO_HOSTS)
    failures: FailureDetails | None = None
    progress: StepProgress = NO_PROGRESS
    digest: int = 0

    def own_progress(self) -> StepProgress:
        """Return the step's own progress, to be changed."""
        if self.progress is NO_PROGRESS:
            self.progress = StepProgress()
        return self.progress

    @property
    def finished(self) -> bool:
        """Whether the step was announced finished and has not run since."""
        return self.announced is not None and self.announced[2]

    @property
    def started(self) -> bool:
        """Whether the platform showed a status after pending."""
        return self.status_code is not None and self.status_code != NOT_STARTED

    @property
    def hosts_visible(self) -> bool:
        """Whether the platform lists the step's hosts, as far as is known."""
        return self.host_refusals < REFUSALS

    @property
    def needs_rows(self) -> bool:
        """Whether host rows of this step are still to be read."""
        return self.host_refusals < REFUSALS and self.started and not self.finished

    @property
    def times(self) -> Times:
        """When the step was created, started and ended, as read with its last new status."""
        return unpacked_times(self.raw_times)

    @property
    def observed_duration(self) -> float | None:
        """Seconds from the start to the final status, both seen by polls; None where the start was not seen."""
        settling = self.progress.settling
        return observed_duration(self.start_seen_at, None if settling is None else settling.since)


def observed_duration(start_seen_at: float | None, end_seen_at: float | None) -> float | None:
    """Return the seconds between two times, None unless both are known."""
    return end_seen_at - start_seen_at if start_seen_at is not None and end_seen_at is not None else None
