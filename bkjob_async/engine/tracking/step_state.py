"""Where one step stands: what it showed, what was announced, what its hosts are."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define
from msgspec import Struct

from bkjob_async.engine.group_polling.group_poller import GroupPoller
from bkjob_async.engine.host_table.encoding import NO_TIMES, AnnouncedState, unpacked_times
from bkjob_async.engine.host_table.failure_details import FailureDetails
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.events import Event, HostChanged, HostCounts, StepChanged
from bkjob_async.model.refs import StepRef
from bkjob_async.model.result import StepResult
from bkjob_async.model.snapshot import HostSnapshot, StepSnapshot, Times
from bkjob_async.model.status import host_status, run_status

NOT_STARTED, RUNNING = 1, 2
NO_HOSTS = HostTable()


@define(eq=False, weakref_slot=False)
class Closing:
    """How a final status settles: since when it shows, and what was read of hosts under it.

    *looked_at* is when an answer first spoke of all hosts. *end_read*: one had all of them. *rows_settled*: none of them was open.
    """

    since: float
    looked_at: float | None = None
    end_read: bool = False
    rows_settled: bool = False


@define(eq=False, weakref_slot=False)
class Course:
    """What matters of few steps only: those about to end, the large, those begun anew, those left behind.

    *first_of_execution*: what shows is the first word of an execution. *left_behind*: the job has gone on to another
    step.
    """

    closing: Closing | None = None
    group_poller: GroupPoller | None = None
    first_of_execution: bool = False
    left_behind: bool = False


AT_REST = Course()

# How often a step refused to show its hosts until it is believed, and what is beyond any count.
REFUSALS, HIDDEN = 3, 1000


class StepState(Struct, eq=False, gc=False):
    """What is known of one step instance.

    `seen` is the platform's latest word, `announced` what readers were told: (code, execute_count, finished). They
    differ while a final status settles. `refusals` counts how often the step refused to show its hosts. It was seen
    running since `running_since`, and its start was seen at `began_at`.

    The collector of cycles passes over it, for there may be a hundred thousand: nothing in it may lead back to it.
    """

    ref: StepRef
    name: str = ""
    type: int | None = None
    seen: int | None = None
    announced: AnnouncedState | None = None
    execute_count: int = 0
    epoch: int = 0
    sequence: int = 0
    refusals: int = 0
    alive_at: float | None = None
    running_since: float | None = None
    began_at: float | None = None
    _times: bytes = NO_TIMES
    _hosts: HostTable | None = None
    _failures: FailureDetails | None = None
    _own_course: Course | None = None

    @property
    def course(self) -> Course:
        """How the step goes on; only to be read."""
        return self._own_course or AT_REST

    def _go_on(self) -> Course:
        """Return how the step goes on, to be changed."""
        if self._own_course is None:
            self._own_course = Course()
        return self._own_course

    @property
    def group_poller(self) -> GroupPoller | None:
        """How the step is read while it is large and goes on."""
        return None if self._own_course is None else self._own_course.group_poller

    @property
    def visible(self) -> bool:
        """Whether the step shows its hosts, as far as is known."""
        return self.refusals < REFUSALS

    @property
    def hosts(self) -> HostTable:
        """Where the hosts stand; made for steps that have any."""
        return NO_HOSTS if self._hosts is None else self._hosts

    @property
    def closing_since(self) -> float | None:
        """When the final status that now shows was first seen."""
        closing = self.course.closing
        return None if closing is None else closing.since

    @property
    def is_closing(self) -> bool:
        """Whether a final status shows that was not announced yet."""
        return self._own_course is not None and self._own_course.closing is not None

    @property
    def times(self) -> Times:
        """When the step was created, began and ended, as last told with a new status."""
        return unpacked_times(self._times)

    @property
    def finished(self) -> bool:
        """Whether the step was announced finished and has not run since."""
        return self.announced is not None and self.announced[2]

    @property
    def started(self) -> bool:
        """Whether the step had its turn, as far as the platform said."""
        return self.seen is not None and self.seen != NOT_STARTED

    @property
    def needs_rows(self) -> bool:
        """Whether host rows of this step are still to be read."""
        return self.visible and self.started and not self.finished

    def _changed(self, before: int | None, cursor: str, *, skipped: bool = False) -> StepChanged:
        assert self.announced is not None  # noqa: S101 - only what was announced is told
        code, execute_count, finished = self.announced
        return StepChanged(
            ref=self.ref,
            execute_count=execute_count,
            before=None if before is None else run_status(before),
            after=run_status(code),
            is_finished=finished,
            name=self.name,
            epoch=self.epoch,
            skipped=skipped,
            cursor=cursor,
        )

    def _counted(self, cursor: str) -> HostCounts:
        return HostCounts(
            ref=self.ref, execute_count=self.execute_count, hosts=self.hosts.counts(), cursor=cursor
        )

    def _failure(self, index: int) -> HostSnapshot | None:
        return self._failures.get(index) if self._failures is not None else None

    @property
    def seen_for(self) -> float | None:
        """How long the step was seen running before its end showed; None where its start was not seen."""
        return span(self.began_at, self.closing_since)

    def present(self, cursor: str, *, since: int = 0, skipped: bool = False) -> Iterator[Event]:
        """Yield where hosts and step stand, for whoever missed how they got there.

        Without *skipped* all are at first sight; with it, only what changed in batch *since* or later, and from where.
        """
        finished = self.finished
        changed = self.announced is not None and self.sequence >= since
        if changed and not finished:
            yield self._changed(None, cursor, skipped=skipped)
        for index, before, code in self.hosts.present(since):
            details = self._failure(index)
            yield HostChanged(
                ref=self.ref,
                host=self.hosts.key(index),
                execute_count=self.execute_count,
                before=host_status(before) if skipped and before is not None else None,
                after=host_status(code),
                tag=details.tag if details else None,
                exit_code=details.exit_code if details else None,
                epoch=self.epoch,
                skipped=skipped,
                cursor=cursor,
            )
        if skipped and self.hosts.has_changed(since):
            yield self._counted(cursor)
        if changed and finished:
            yield self._changed(None, cursor, skipped=skipped)

    def result(self) -> StepResult:
        """Return how the step ended, or where it stands."""
        failed = [
            self._failure(index) or HostSnapshot(host=self.hosts.key(index), status=host_status(code))
            for index, code in self.hosts.unsuccessful()
        ]
        return StepResult(
            ref=self.ref,
            status=run_status(self.seen if self.seen is not None else NOT_STARTED),
            is_finished=self.finished,
            name=self.name,
            execute_count=self.execute_count,
            times=self.times,
            hosts=self.hosts.counts(),
            failed=tuple(failed),
            hosts_visible=self.visible,
        )

    def snapshot(self) -> StepSnapshot:
        """Return the step as last seen, with all hosts ever named by an answer."""
        code = self.seen if self.seen is not None else NOT_STARTED
        return StepSnapshot(
            ref=self.ref,
            status=run_status(code),
            is_finished=self.finished,
            name=self.name,
            type=self.type,
            execute_count=self.execute_count,
            times=self.times,
            hosts=tuple(
                self._failure(index) or HostSnapshot(host=self.hosts.key(index), status=host_status(status))
                for index, _, status in self.hosts.present()
            )
            if self.visible
            else None,
        )


def span(began_at: float | None, ended_at: float | None) -> float | None:
    """Return the seconds between two moments, None unless both are known."""
    return ended_at - began_at if began_at is not None and ended_at is not None else None
