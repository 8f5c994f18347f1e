"""One step's story: what it showed, what was announced, when it may be called finished."""

from __future__ import annotations

from sys import intern

from bkjob_async.engine.group_polling.group_poller import CountsOnly, ReadMode
from bkjob_async.engine.host_table.encoding import announced_state, packed_times
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy
from bkjob_async.engine.tracking.settling import SETTLE_BOUND, UNREAD_BOUND
from bkjob_async.engine.tracking.step_hosts import StepHosts
from bkjob_async.engine.tracking.step_state import HIDDEN, NOT_STARTED, Closing
from bkjob_async.model.events import Event
from bkjob_async.model.poll_view import StepPollView
from bkjob_async.model.status import RUN_CODES, run_status

# A rolling step that ignores errors shows 6 between two batches, although 6 is a final code.
PROVISIONAL = 6

# Codes of a step that is over, or goes on, whatever else is said.
OVER = frozenset(code for code in RUN_CODES if run_status(code).is_finished())
GOING_ON = frozenset(RUN_CODES) - OVER

# So many hosts are compared as a whole before anything else is done; of more of them, some have mostly moved.
AT_A_GLANCE = 64


class StepTracker(StepHosts, eq=False, gc=False):
    """Follows one step instance: takes in what answers say of it, and says what is news."""

    @property
    def wants_end(self) -> bool:
        """Whether the step is over and its hosts are still to be read in full."""
        closing = self.course.closing
        if closing is None or closing.rows_settled:
            return False
        return not closing.end_read or self.hosts.open_count == 0

    def stands_as(self, look: StepPollView, reading: ReadMode = None) -> bool:
        """Whether the step stands just as *look*, asked for in this *reading*, shows it: nothing is to be told or kept."""
        if not self._status_stands_as(look):
            return False
        if reading is not None:
            return isinstance(reading, CountsOnly) and look.groups is not None and self._count_as(look.groups)
        course, hosts = self._own_course, self._hosts
        if (course is not None and course.group_poller is not None) or self._failures is not None:
            return False
        if look.groups is None:
            return True
        return (
            look.complete and hosts is not None and len(hosts) <= AT_A_GLANCE and hosts.stands_as(look.groups)
        )

    def _status_stands_as(self, look: StepPollView) -> bool:
        told = self.announced
        if told is None:
            return False
        code, execute_count, finished = told
        return (
            code == look.status == self.seen
            and execute_count == look.execute_count
            and look.name == self.name
            and look.finished in (None, finished)
            and code in (OVER if finished else GOING_ON)
        )

    def seen_again(self, at: PollStamp) -> None:
        """Take note that the step stands as before."""
        if not self.finished:
            self.alive_at = at.now

    def observe(
        self,
        look: StepPollView,
        at: PollStamp,
        *,
        job_finished: bool | None,
        reading: ReadMode = None,
        patient: bool = False,
        left_behind: bool | None = None,
    ) -> list[EventOrLazy]:
        """Take in what an answer says of this step; return what can be told at once.

        *job_finished* is what is known of the job, None for nothing. *reading* is how the step was asked for;
        *patient*: small moves of hosts may collect. *left_behind* is whether the job has gone on to another step, None
        where the answer does not tell. An answer about an earlier execution than the known one says nothing.
        """
        if self.seen is not None and look.execute_count < self.execute_count:
            if self.group_poller is not None:
                self.group_poller.abandon_round()  # or the same group would be asked for again at once
            return []
        again = self.seen is not None and look.execute_count > self.execute_count
        finished = self._is_final(look, job_finished=job_finished) or (
            not again and self._is_over_with_job(look.status, job_finished=job_finished)
        )
        events: list[EventOrLazy] = []
        if again or (self.finished and (not finished or look.status != self.seen)):
            events += self._reopen(at, new_execution=again)
        if not finished or again or (self.seen is not None and look.status != self.seen):
            self.alive_at = at.now
        if left_behind is not None and not self.finished:
            self._note_left_behind(at, left=left_behind)
        if self.is_closing and (look.status != self.seen or not finished):
            self._go_on().closing = None
        before = self.seen
        self._note(look, finished=finished)
        events += self._counting_anew(at, again=again)
        if finished:
            self._begin_closing(at)
        else:
            if self.started:
                self._is_going_on(at, begins=before == NOT_STARTED)
            events += self._announce(at, finished=False)
        if look.groups is not None:
            moves = self._take_groups(look, look.groups, at, reading=reading, patient=patient)
            self._note_rows(at, moved=bool(moves))
            events += moves
        return events

    def _counting_anew(self, at: PollStamp, *, again: bool) -> list[Event]:
        """Tell that the hosts of the execution before count no more, where another one began."""
        return [self._counted(at.cursor)] if again and len(self.hosts) else []

    def _is_going_on(self, at: PollStamp, *, begins: bool) -> None:
        """Take note that the step runs."""
        if self._own_course is not None:
            self._own_course.first_of_execution = False
        if self.running_since is None:
            self.running_since = at.now
            self.began_at = at.now if begins else None

    def _note_left_behind(self, at: PollStamp, *, left: bool) -> None:
        """Take note of whether the job has left this step behind.

        What was read of hosts while 6 may have been a state between batches is not the end: a whole batch may have come
        and gone since.
        """
        if left == self.course.left_behind:
            return
        course = self._go_on()
        course.left_behind = left
        if left and course.closing is not None and self.seen == PROVISIONAL:
            course.closing = Closing(at.now)

    def _begin_closing(self, at: PollStamp) -> None:
        if self.finished or self.is_closing:
            return
        self._go_on().closing = Closing(at.now)
        if self.refusals < HIDDEN:
            # What was taken for a kind of step that shows no hosts may have been a bad moment: ask once more.
            self.refusals = 0

    def _note_rows(self, at: PollStamp, *, moved: bool) -> None:
        """Take note that an answer spoke of hosts while a final status settles."""
        closing = self.course.closing
        if closing is None:
            return
        if moved and self.seen == PROVISIONAL:
            # Hosts moved since the last look: this is the end of another batch, not still the same.
            closing.since, closing.looked_at = at.now, None
        if closing.end_read and closing.looked_at is None:
            closing.looked_at = at.now

    def _note(self, look: StepPollView, *, finished: bool) -> None:
        if finished or look.status != self.seen:
            self._times = packed_times(look.times)
        self.seen = look.status
        self.execute_count = look.execute_count
        if look.name and look.name != self.name:
            self.name = intern(look.name)
        self.type = look.type if look.type is not None else self.type

    @staticmethod
    def _is_final(look: StepPollView, *, job_finished: bool | None) -> bool:
        flag = look.finished
        if flag is None and look.status not in RUN_CODES:
            flag = job_finished
        return run_status(look.status).is_finished(flag=flag)

    def _is_over_with_job(self, code: int, *, job_finished: bool | None) -> bool:
        """Whether a step that goes on by its status was told as over because its job is, and nothing changed since."""
        return self.finished and job_finished is not False and code == self.seen and code in GOING_ON

    def _announce(self, at: PollStamp, *, finished: bool) -> list[Event]:
        """Tell the status that was seen, unless it was told already."""
        assert self.seen is not None  # noqa: S101 - both callers have just seen it
        told = announced_state(self.seen, self.execute_count, finished=finished)
        if told == self.announced:
            return []
        before = self.announced[0] if self.announced else None
        self.announced = told
        self.sequence = at.sequence
        return [self._changed(before, at.cursor)]

    def close(self, at: PollStamp, *, doubtful: bool) -> list[Event]:
        """Announce a final status when its details have settled, or the bound has passed.

        No status of a step that the job has left behind is provisional. *doubtful*: an operation just went out, and the
        platform may still show the status before it.
        """
        course, closing = self.course, self.course.closing
        if closing is None:
            return []
        if not self._is_overdue(closing, at.now):
            provisional = self.seen == PROVISIONAL or course.first_of_execution
            if (
                doubtful
                or (provisional and not course.left_behind)
                or (self.visible and not closing.rows_settled)
            ):
                return []
        return self._end(at)

    def end_with_job(self, at: PollStamp) -> list[Event]:
        """Announce that the step is over as it stands, because its job is: it never began, or was left so."""
        return self._end(at)

    def _end(self, at: PollStamp) -> list[Event]:
        if self.group_poller is not None:
            self.group_poller.release_response()
        if self._failures is not None:
            self._failures.release_response()
        self._own_course = self.running_since = self.began_at = None
        return self._announce(at, finished=True)

    def set_aside(self) -> None:
        """Forget what is under way: nobody follows the step for now."""
        if self._own_course is not None:
            if self.group_poller is not None:
                self.group_poller.release_response()
            self._own_course.closing = self._own_course.group_poller = None

    def _is_overdue(self, closing: Closing, now: float) -> bool:
        """Whether details have been waited for long enough.

        The bound is for rows that never settle. When none could be read at all, because polls fail, it is stretched.
        """
        if now - closing.since >= UNREAD_BOUND:
            return True
        since = closing.looked_at if self.visible else closing.since
        return since is not None and now - since >= SETTLE_BOUND
