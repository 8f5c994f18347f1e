"""One step's story: what it showed, what was announced, when it may be called finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bkjob_async.engine.cadence import SETTLE_BOUND, UNREAD_BOUND
from bkjob_async.engine.hosts import HostTable, Move
from bkjob_async.engine.moment import Moment
from bkjob_async.engine.news import HostMoves, News
from bkjob_async.model.events import Event, HostChanged, Reopened, StepChanged
from bkjob_async.model.look import StepLook
from bkjob_async.model.refs import StepRef
from bkjob_async.model.result import StepResult
from bkjob_async.model.snapshot import HostSnapshot, StepSnapshot, Times
from bkjob_async.model.status import RUN_CODES, host_status, run_status

NOT_STARTED = 1
# A rolling step that ignores errors shows 6 between two batches, although 6 is a final code.
PROVISIONAL = 6


class StepTracker:
    """What is known of one step instance.

    `seen` is the platform's latest word, `announced` what readers were told: (code, execute_count, finished). They
    differ while a final status settles.
    """

    __slots__ = (
        "_began_at",
        "_failures",
        "_first_of_execution",
        "_rows_looked",
        "_rows_settled",
        "alive_at",
        "announced",
        "closing_since",
        "epoch",
        "execute_count",
        "hosts",
        "name",
        "ref",
        "refusals",
        "running_since",
        "seen",
        "sequence",
        "times",
        "type",
        "visible",
    )

    def __init__(self, ref: StepRef) -> None:
        self.ref = ref
        self.name = ""
        self.type: int | None = None
        self.times = Times()
        self.seen: int | None = None
        self.announced: tuple[int, int, bool] | None = None
        self.execute_count = 0
        self.epoch = 0
        self.sequence = 0
        self.hosts = HostTable()
        self.visible = True
        self.refusals = 0
        self.closing_since: float | None = None
        self.running_since: float | None = None
        self._began_at: float | None = None
        self.alive_at: float | None = None
        self._failures: dict[int, HostSnapshot] | None = None
        self._rows_settled = self._rows_looked = False
        self._first_of_execution = False

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

    def observe(self, look: StepLook, at: Moment, *, job_finished: bool | None) -> list[News]:
        """Take in what an answer says of this step; return what can be told at once.

        *job_finished* is what is known of the job, None for nothing. An answer about an earlier execution than the
        known one is behind, and says nothing.
        """
        if self.seen is not None and look.execute_count < self.execute_count:
            return []
        finished = self._is_final(look, job_finished=job_finished)
        again = self.seen is not None and look.execute_count > self.execute_count
        events: list[News] = []
        if again or (self.finished and (not finished or look.status != self.seen)):
            events += self._reopen(at, new_execution=again)
        if not finished or again or (self.seen is not None and look.status != self.seen):
            self.alive_at = at.now
        if look.status != self.seen or not finished:
            self.closing_since = None
            self._rows_settled = self._rows_looked = False
        before, self.seen = self.seen, look.status
        self.execute_count = look.execute_count
        self.name = look.name or self.name
        self.type = look.type if look.type is not None else self.type
        self.times = look.times
        if not finished:
            self._first_of_execution = False
            if self.started and self.running_since is None:
                self.running_since = at.now
                self._began_at = at.now if before == NOT_STARTED else None
            events += self._announce(at, finished=False)
        elif self.closing_since is None:
            self.closing_since = at.now
            if self.refusals:
                # What was taken for a kind of step that shows no hosts may have been a bad moment: ask once more.
                self.visible, self.refusals = True, 0
        events += self._take_rows(look, at, final=finished)
        return events

    @staticmethod
    def _is_final(look: StepLook, *, job_finished: bool | None) -> bool:
        flag = look.finished
        if flag is None and look.status not in RUN_CODES:
            flag = job_finished
        return run_status(look.status).is_finished(flag=flag)

    def _reopen(self, at: Moment, *, new_execution: bool) -> list[Event]:
        """Begin another epoch: what was final is not, or another execution began."""
        was_finished = self.finished
        if self.announced is not None:
            self.announced = (self.announced[0], self.announced[1], False)
        self.epoch += 1
        self.closing_since = None
        self.running_since = self._began_at = None
        self._rows_settled = self._rows_looked = False
        self._first_of_execution = new_execution
        if new_execution:
            self.hosts.begin_execution()
            self._failures = None
        return [Reopened(ref=self.ref, epoch=self.epoch, cursor=at.cursor)] if was_finished else []

    def _announce(self, at: Moment, *, finished: bool) -> list[Event]:
        """Tell the status that was seen, unless it was told already."""
        assert self.seen is not None  # noqa: S101 - both callers have just seen it
        telling = (self.seen, self.execute_count, finished)
        if telling == self.announced:
            return []
        before = self.announced[0] if self.announced else None
        self.announced = telling
        self.sequence = at.sequence
        return [self._changed(before, at.cursor)]

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

    def _take_rows(self, look: StepLook, at: Moment, *, final: bool) -> list[News]:
        if look.groups is None:
            return []
        moves, believed = self.hosts.apply(look.groups, at.sequence, named=look.named)
        events: list[News] = []
        if moves and self.finished:
            # A row that moves after all was told as over: it is told again, with the right result.
            events += self._reopen(at, new_execution=False)
            self.closing_since = at.now
        if final:
            self._rows_looked = True
            self._rows_settled = believed and look.complete and self.hosts.open_count == 0
        if moves:
            # Events are made when they are read, which may be long after the answer is gone.
            moves = [Move(move.index, move.before, move.after, look.named(move.row)) for move in moves]
            self._note_failures(moves, look)
            events.append(self._moved(moves, look, at))
        if final:
            self._refresh_failures(look)
        return events

    def _note_failures(self, moves: Sequence[Move], look: StepLook) -> None:
        """Keep the details of hosts that failed, and forget those that no longer are."""
        bad = {code for code in {move.after for move in moves} if is_failure(code)}
        if not bad and self._failures is None:
            return
        failures = self._failures = self._failures if self._failures is not None else {}
        for move in moves:
            if move.after in bad:
                failures[move.index] = look.details(move.row)
            else:
                failures.pop(move.index, None)

    def _moved(self, moves: Sequence[Move], look: StepLook, at: Moment) -> HostMoves:
        """Return the hosts that moved, as events to be."""
        execute_count, epoch, details_of = self.execute_count, self.epoch, look.details

        def event(move: Move) -> HostChanged:
            details = details_of(move.row)
            return HostChanged(
                ref=self.ref,
                host=self.hosts.key(move.index),
                execute_count=execute_count,
                before=None if move.before is None else host_status(move.before),
                after=host_status(move.after),
                tag=details.tag,
                exit_code=details.exit_code,
                epoch=epoch,
                cursor=at.cursor,
            )

        return HostMoves(self.ref, moves, event)

    def _refresh_failures(self, look: StepLook) -> None:
        """Read the details of failed hosts again: exit codes and times arrive late."""
        if not self._failures:
            return
        rows = [row for group in look.groups or () for row in group.rows or ()]
        for index, row in zip(self.hosts.places_of(rows), rows, strict=True):
            if index in self._failures:
                self._failures[index] = look.details(look.named(row))

    def _failure(self, index: int) -> HostSnapshot | None:
        return self._failures.get(index) if self._failures is not None else None

    @property
    def seen_for(self) -> float | None:
        """How long the step was seen running before it was seen over; None where its start was not seen."""
        return span(self._began_at, self.closing_since)

    def close(self, at: Moment, *, moved_on: bool, doubtful: bool) -> list[Event]:
        """Announce a final status when its details have settled, or the bound has passed.

        *moved_on*: the job is already beyond this step, so no status of it is provisional. *doubtful*: an operation
        just went out, and the platform may still show the status before it.
        """
        if self.finished or self.closing_since is None:
            return []
        if not self._is_overdue(at.now):
            provisional = self.seen == PROVISIONAL or self._first_of_execution
            if doubtful or (provisional and not moved_on) or (self.visible and not self._rows_settled):
                return []
        return self._announce(at, finished=True)

    def _is_overdue(self, now: float) -> bool:
        """Whether details have been waited for long enough.

        The bound is for rows that never settle. When none could be read at all, because polls fail, it is stretched.
        """
        waited = now - (self.closing_since if self.closing_since is not None else now)
        return waited >= (SETTLE_BOUND if self._rows_looked or not self.visible else UNREAD_BOUND)

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
                tag=details.tag if details else "",
                exit_code=details.exit_code if details else None,
                epoch=self.epoch,
                skipped=skipped,
                cursor=cursor,
            )
        if changed and finished:
            yield self._changed(None, cursor, skipped=skipped)

    def result(self) -> StepResult:
        """Return how the step ended, or where it stands."""
        failed = []
        for index, _, code in self.hosts.present():
            status = host_status(code)
            if not status.is_success:
                failed.append(self._failure(index) or HostSnapshot(host=self.hosts.key(index), status=status))
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


def is_failure(code: int) -> bool:
    """Whether a host code is the end of a host, and not a good one."""
    status = host_status(code)
    return status.is_finished and not status.is_success


def span(began_at: float | None, ended_at: float | None) -> float | None:
    """Return the seconds between two moments, None unless both are known."""
    return ended_at - began_at if began_at is not None and ended_at is not None else None
