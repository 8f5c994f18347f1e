"""One step's story: what it showed, what was announced, when it may be called finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from sys import intern

from bkjob_async.engine.cadence import SETTLE_BOUND, UNREAD_BOUND
from bkjob_async.engine.hosts import HostTable, Move
from bkjob_async.engine.moment import Moment
from bkjob_async.engine.news import HostMoves, News
from bkjob_async.engine.packing import packed_times, telling
from bkjob_async.engine.step_standing import NOT_STARTED, Closing, StepStanding
from bkjob_async.engine.survey import Counts, Reading, Survey, is_large
from bkjob_async.model.events import Event, HostChanged, Reopened
from bkjob_async.model.look import GroupLook, HostRow, StepLook
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import RUN_CODES, host_status, run_status

# A rolling step that ignores errors shows 6 between two batches, although 6 is a final code.
PROVISIONAL = 6

# Where at least one host in so many moved, the answer is kept until the events are read.
MANY = 8

# Codes of a step that goes on, whatever else an answer says.
GOING_ON = frozenset(code for code in RUN_CODES if not run_status(code).is_finished(flag=None))

# So many hosts are compared as a whole before anything else is done; of more of them, some have mostly moved.
AT_A_GLANCE = 64

Details = Callable[[HostRow], HostSnapshot]


def named_details(named: Callable[[HostRow], HostRow], details: Details, row: HostRow) -> HostSnapshot:
    """Return what an answer says of a row's host."""
    return details(named(row))


class StepTracker(StepStanding):
    """Follows one step instance: takes in what answers say of it, and says what is news."""

    __slots__ = ()

    @property
    def wants_end(self) -> bool:
        """Whether the step is over and its hosts are still to be read in full."""
        closing = self._closing
        if closing is None or self.finished or closing.rows_settled:
            return False
        return not closing.end_read or self.hosts.open_count == 0

    def stands_as(self, look: StepLook) -> bool:
        """Whether the step stands just as *look*, an answer read in full, shows it: nothing is to be told or kept."""
        told = self.announced
        if (
            told is None
            or told[0] != look.status
            or self.seen != look.status
            or told[1] != look.execute_count
        ):
            return False
        if look.name != self.name or look.finished or self.survey is not None or self._failures is not None:
            return False
        if not (look.finished is None and look.status in RUN_CODES if told[2] else look.status in GOING_ON):
            return False
        if look.groups is None:
            return True
        hosts = self._hosts
        return (
            look.complete and hosts is not None and len(hosts) <= AT_A_GLANCE and hosts.stands_as(look.groups)
        )

    def seen_again(self, at: Moment) -> None:
        """Take note that the step stands as before."""
        self.refusals = 0
        if not self.finished:
            self.alive_at = at.now

    def observe(
        self,
        look: StepLook,
        at: Moment,
        *,
        job_finished: bool | None,
        reading: Reading = None,
        patient: bool = False,
    ) -> list[News]:
        """Take in what an answer says of this step; return what can be told at once.

        *job_finished* is what is known of the job, None for nothing. *reading* is how the step was asked for;
        *patient*: small moves of hosts may collect. An answer about an earlier execution than the known one is behind,
        and says nothing.
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
            self._closing = None
        before = self.seen
        self._note(look, finished=finished)
        if finished:
            self._begin_closing(at)
        else:
            self._first_of_execution = False
            if self.started and self.running_since is None:
                self.running_since = at.now
                self._began_at = at.now if before == NOT_STARTED else None
            events += self._announce(at, finished=False)
        if look.groups is not None:
            moves = self._take_groups(look, look.groups, at, reading=reading, patient=patient)
            self._note_rows(at, moved=bool(moves), complete=look.complete)
            events += moves
            if finished and reading is None:
                self._refresh_failures(look)
        return events

    def note_left_behind(self, at: Moment, *, left: bool) -> None:
        """Take note of whether the job has left this step behind.

        What was read of hosts while 6 may have been a state between batches is not the end: a whole batch may have come
        and gone since.
        """
        if left and not self.left_behind and self._closing is not None and self.seen == PROVISIONAL:
            self._closing = Closing(at.now)
        self.left_behind = left

    def _begin_closing(self, at: Moment) -> None:
        if self._closing is not None:
            return
        self._closing = Closing(at.now)
        if self.refusals:
            # What was taken for a kind of step that shows no hosts may have been a bad moment: ask once more.
            self.visible, self.refusals = True, 0

    def _note_rows(self, at: Moment, *, moved: bool, complete: bool) -> None:
        """Take note that an answer spoke of hosts while a final status settles."""
        closing = self._closing
        if closing is None:
            return
        if moved and self.seen == PROVISIONAL:
            # Hosts moved since the last look: this is the end of another batch, not still the same.
            closing.since, closing.looked_at = at.now, None
        if complete and closing.looked_at is None:
            closing.looked_at = at.now

    def _note(self, look: StepLook, *, finished: bool) -> None:
        if finished or look.status != self.seen:
            self._times = packed_times(look.times)
        self.seen = look.status
        self.execute_count = look.execute_count
        if look.name and look.name != self.name:
            self.name = intern(look.name)
        self.type = look.type if look.type is not None else self.type

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
            self.announced = telling(self.announced[0], self.announced[1], finished=False)
        self.epoch += 1
        self._closing = None
        self.running_since = self._began_at = None
        self._first_of_execution = new_execution
        if new_execution:
            self.hosts.begin_execution()
            self._failures = None
        return [Reopened(ref=self.ref, epoch=self.epoch, cursor=at.cursor)] if was_finished else []

    def _announce(self, at: Moment, *, finished: bool) -> list[Event]:
        """Tell the status that was seen, unless it was told already."""
        assert self.seen is not None  # noqa: S101 - both callers have just seen it
        told = telling(self.seen, self.execute_count, finished=finished)
        if told == self.announced:
            return []
        before = self.announced[0] if self.announced else None
        self.announced = told
        self.sequence = at.sequence
        return [self._changed(before, at.cursor)]

    def _take_groups(
        self,
        look: StepLook,
        groups: Sequence[GroupLook],
        at: Moment,
        *,
        reading: Reading,
        patient: bool,
    ) -> list[News]:
        """Take in the groups of an answer, as much of them as was asked for."""
        if reading is None:
            return self._take_all(look, groups, at)
        if self.survey is None:
            return []  # nothing is known that counts could be held against
        if isinstance(reading, Counts):
            if not self.survey.begin(self.hosts, groups, patient=patient):
                return []
            asked = None
        else:
            asked = reading
        taken = self.hosts.apply(groups, at.sequence, look.named, self.survey.index)
        moves, tag = list(taken.moves), ""
        if self.survey.listed(taken, groups, asked=asked):
            rest = self.survey.rest(self.hosts)
            if rest is not None:
                marks, (code, tag) = rest
                moves += self.hosts.infer(marks, code, at.sequence)
        return self._moved_all(moves, look, at, tag=tag)

    def _take_all(self, look: StepLook, groups: Sequence[GroupLook], at: Moment) -> list[News]:
        """Take in the rows of an answer that was asked for all of them."""
        if self._hosts is None and any(group.rows for group in groups):
            self._hosts = HostTable()
        taken = self.hosts.apply(groups, at.sequence, look.named)
        if look.complete and taken.believed and is_large(len(self.hosts)):
            self.survey = self.survey or Survey(at.now)
            self.survey.was_read_in_full(at.now, groups)
        elif self.survey is not None:
            self.survey.give_up()
        events = self._moved_all(taken.moves, look, at)
        if self._closing is not None:
            self._closing.end_read = taken.believed and look.complete
            self._closing.rows_settled = self._closing.end_read and self.hosts.open_count == 0
        return events

    def _moved_all(self, moves: Sequence[Move], look: StepLook, at: Moment, *, tag: str = "") -> list[News]:
        events: list[News] = []
        if moves and self.finished:
            # A row that moves after all was told as over: it is told again, with the right result.
            events += self._reopen(at, new_execution=False)
            self._closing = Closing(at.now)
        elif moves and self._closing is not None:
            self._closing.rows_settled = False
        if moves:
            read: Details = look.details
            if MANY * len(moves) < len(self.hosts):
                # Events are made when they are read: a few moves shall not hold on to a whole answer until then.
                moves = [
                    Move(move.index, move.before, move.after, move.row and look.named(move.row))
                    for move in moves
                ]
            else:
                read = partial(named_details, look.named, look.details)
            details_of = partial(self._details, read, tag)
            self._note_failures(moves, details_of)
            events.append(self._moved(moves, details_of, at))
        return events

    def _note_failures(self, moves: Sequence[Move], details_of: Callable[[Move], HostSnapshot]) -> None:
        """Keep the details of hosts that failed, and forget those that no longer are."""
        bad = {code for code in {move.after for move in moves} if is_failure(code)}
        if not bad and self._failures is None:
            return
        failures = self._failures = self._failures if self._failures is not None else {}
        for move in moves:
            if move.after in bad:
                failures[move.index] = details_of(move)
            else:
                failures.pop(move.index, None)

    def _details(self, read: Details, tag: str, move: Move) -> HostSnapshot:
        """Return what an answer says of a host; where none listed it, what its group says."""
        if move.row is not None:
            return read(move.row)
        return HostSnapshot(host=self.hosts.key(move.index), status=host_status(move.after), tag=tag)

    def _moved(
        self, moves: Sequence[Move], details_of: Callable[[Move], HostSnapshot], at: Moment
    ) -> HostMoves:
        """Return the hosts that moved, as events to be."""
        execute_count, epoch = self.execute_count, self.epoch

        def event(move: Move) -> HostChanged:
            details = details_of(move)
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
        for index, row in zip(self.hosts.places_of(rows, look.named), rows, strict=True):
            if index in self._failures:
                self._failures[index] = look.details(look.named(row))

    def close(self, at: Moment, *, doubtful: bool) -> list[Event]:
        """Announce a final status when its details have settled, or the bound has passed.

        No status of a step that the job has left behind is provisional. *doubtful*: an operation just went out, and the
        platform may still show the status before it.
        """
        closing = self._closing
        if self.finished or closing is None:
            return []
        if not self._is_overdue(closing, at.now):
            provisional = self.seen == PROVISIONAL or self._first_of_execution
            if (
                doubtful
                or (provisional and not self.left_behind)
                or (self.visible and not closing.rows_settled)
            ):
                return []
        return self._announce(at, finished=True)

    def _is_overdue(self, closing: Closing, now: float) -> bool:
        """Whether details have been waited for long enough.

        The bound is for rows that never settle. When none could be read at all, because polls fail, it is stretched.
        """
        if now - closing.since >= UNREAD_BOUND:
            return True
        since = closing.looked_at if self.visible else closing.since
        return since is not None and now - since >= SETTLE_BOUND


def is_failure(code: int) -> bool:
    """Whether a host code is the end of a host, and not a good one."""
    status = host_status(code)
    return status.is_finished and not status.is_success
