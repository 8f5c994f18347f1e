"""What answers say of one step's hosts: which of them moved, and how those failed that did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

from bkjob_async.engine.group_polling.group_poller import CountsOnly, GroupPoller, ReadMode, is_large
from bkjob_async.engine.host_table.changes import Move, Moves, Taken
from bkjob_async.engine.host_table.encoding import announced_state
from bkjob_async.engine.host_table.failure_details import FailureDetails
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.stream.cursor import PollStamp
from bkjob_async.engine.stream.lazy_events import EventOrLazy, LazyHostEvents
from bkjob_async.engine.tracking.step_state import Closing, StepState
from bkjob_async.model.events import Event, HostChanged, Reopened
from bkjob_async.model.fast_frozen import freeze, unfrozen_twin
from bkjob_async.model.poll_view import GroupPollView, HostRow, StepPollView, with_all_names
from bkjob_async.model.snapshot import HostSnapshot
from bkjob_async.model.status import host_status

# Where at least one host in so many moved, the answer is kept until the events are read.
MANY = 8

draft = unfrozen_twin(HostChanged)


class StepHosts(StepState, eq=False, gc=False):
    """Takes in what answers say of the hosts of one step instance."""

    def _reopen(self, at: PollStamp, *, new_execution: bool) -> list[Event]:
        """Begin another epoch: what was final is not, or another execution began."""
        was_finished = self.finished
        if self.announced is not None:
            self.announced = announced_state(self.announced[0], self.announced[1], finished=False)
            self.sequence = at.sequence  # who misses this must hear that it is over no more
        self.epoch += 1
        group_poller, self._own_course = self.group_poller, None
        self.running_since = self.began_at = None
        if group_poller is not None:
            group_poller.abandon_round()
            self._go_on().group_poller = group_poller
        if new_execution:
            self._go_on().first_of_execution = True
            self.hosts.begin_execution(at.sequence)
            self._failures = None
        return [Reopened(ref=self.ref, epoch=self.epoch, cursor=at.cursor)] if was_finished else []

    def _take_groups(
        self,
        look: StepPollView,
        groups: Sequence[GroupPollView],
        at: PollStamp,
        *,
        reading: ReadMode,
        patient: bool,
    ) -> list[EventOrLazy]:
        """Take in the groups of an answer, as much of them as was asked for."""
        if reading is None:
            return self._take_all(look, groups, at)
        self._let_go()
        if self.group_poller is None:
            return []  # nothing is known that counts could be held against
        group_poller, moves = self.group_poller, None
        asked = None if isinstance(reading, CountsOnly) else reading
        if asked is not None:
            moves = group_poller.apply_group(self.hosts, groups, asked, at.sequence)
        elif not group_poller.begin_round(self.hosts, groups, may_defer=patient):
            return []
        if moves is None:
            taken = self.hosts.apply(groups, at.sequence, look.named, group_poller.id_lookup)
            group_poller.record_rows(taken, groups, requested=asked)
            moves = taken.moves
        tag, rest = "", group_poller.infer_remaining()
        if rest is not None:
            left, (code, tag) = rest
            moves += self.hosts.infer(left, code, at.sequence)
        return self._moved_all(moves, look, at, tag=tag)

    def _take_all(
        self, look: StepPollView, groups: Sequence[GroupPollView], at: PollStamp
    ) -> list[EventOrLazy]:
        """Take in the rows of an answer that was asked for all of them."""
        if self._hosts is None and any(group.rows for group in groups):
            self._hosts = HostTable()
        index = None if self.group_poller is None else self.group_poller.id_lookup
        taken = self.hosts.apply(groups, at.sequence, look.named, index, whole=look.complete)
        if look.complete and taken.believed and is_large(len(self.hosts)):
            group_poller = self._go_on().group_poller = self.group_poller or GroupPoller(at.now)
            group_poller.on_full_read(at.now, groups)
        elif self.group_poller is not None:
            self.group_poller.abandon_round()
        events = self._moved_all(taken.moves, look, at)
        closing = self.course.closing
        if closing is not None or self.finished:
            self._refresh_failures(look, groups, taken)
        if closing is not None:
            closing.end_read = taken.believed and look.complete
            # Of an execution that has just begun no host may be listed yet, although the step has some.
            are_listed = not len(self.hosts) or bool(self.hosts.counts())
            closing.rows_settled = closing.end_read and are_listed and self.hosts.open_count == 0
        return events

    def _count_as(self, groups: Sequence[GroupPollView]) -> bool:
        """Whether the groups are as large as they were when all hosts were where they are known to be."""
        group_poller = self.group_poller
        if group_poller is None or not group_poller.has_same_counts(groups):
            return False
        self._let_go()
        return True

    def _let_go(self) -> None:
        """Let go of the answer before."""
        self.hosts.read_names()
        if self.group_poller is not None:
            self.group_poller.release_response()
        if self._failures is not None:
            self._failures.release_response()

    def _moved_all(
        self, moves: Moves, look: StepPollView, at: PollStamp, *, tag: str = ""
    ) -> list[EventOrLazy]:
        if not moves:
            return []
        events: list[EventOrLazy] = []
        if self.finished:
            # A row that moves after all was told as over: it is told again, with the right result.
            events += self._reopen(at, new_execution=False)
            self._go_on().closing = Closing(at.now)
        elif self.course.closing is not None:
            self.course.closing.rows_settled = False
        self._note_failures(moves, look, tag)
        told = self._moved(moves, look, at, tag)
        if MANY * len(moves) < len(self.hosts):
            # Events are made when they are read: a few moves shall not hold on to a whole answer until then.
            if self.group_poller is not None:
                self.group_poller.release_later(told)
            else:
                told.release_response()
        if self.group_poller is None and self._failures is not None:
            self._failures.release_response()
        return [*events, told]

    def _note_failures(self, moves: Moves, look: StepPollView, tag: str) -> None:
        """Keep the details of hosts that failed, and forget those that no longer are."""
        bad = {code for code in set(moves.afters) if is_failure(code)}
        if self._failures is not None and any(
            code is not None and is_failure(code) for code in set(moves.befores)
        ):
            self._failures.forget(moves.places)
        if not bad:
            return
        failures = self._failures = self._failures or FailureDetails()
        for move in moves.into(bad):
            if move.row is not None:
                failures.note(move.index, move.row, look.named, look.details)
            else:
                failures.note_bare(move.index, self._bare_details(move, tag))

    def _bare_details(self, move: Move, tag: str) -> HostSnapshot:
        """Return what its group says of a host that no answer listed."""
        return HostSnapshot(host=self.hosts.key(move.index), status=host_status(move.after), tag=tag)

    def _moved(self, moves: Moves, look: StepPollView, at: PollStamp, tag: str) -> LazyHostEvents:
        """Return the hosts that moved, as events to be."""
        execute_count, epoch, read = self.execute_count, self.epoch, look.details
        tags, none = tags_by_code(look.groups or ()), "" if look.tells_tags else None

        def tag_of(code: int, row: HostRow | None) -> str | None:
            if row is None:
                return tag
            if tags is None:
                return read(row).tag
            own = row.tag
            return tags.get(code) or none if own is None else own

        def events(moves: Moves, indexes: Iterable[int]) -> list[HostChanged]:
            drafts = map(
                draft,
                repeat(self.ref),
                self.hosts.keys(moves.places),
                repeat(execute_count),
                [None if before is None else host_status(before) for before in moves.befores],
                map(host_status, moves.afters),
                repeat(at.cursor),
                indexes,
                map(tag_of, moves.afters, moves.rows),
                [None if row is None else row.exit_code for row in moves.rows],
                repeat(epoch),
                repeat(False),
            )
            return freeze(HostChanged, drafts)

        return LazyHostEvents(self.ref, moves, events, look.named if tags is None else with_all_names)

    def _refresh_failures(self, look: StepPollView, groups: Sequence[GroupPollView], taken: Taken) -> None:
        """Read the details of failed hosts again: exit codes and times arrive late."""
        failures = self._failures
        if not failures:
            return
        begin = 0
        for group in groups:
            rows = group.rows or ()
            begin, places = begin + len(rows), taken.places[begin : begin + len(rows)]
            # Where every host stands once, none that failed stands in a group that did not.
            if group.status is None or is_failure(group.status) or not taken.each_once:
                for place, row in zip(places, rows, strict=True):
                    if place in failures:
                        failures.note(place, row, look.named, look.details)
        failures.release_response()


def tags_by_code(groups: Sequence[GroupPollView]) -> Mapping[int, str] | None:
    """Return the tag of each status that has one; None where hosts of one status have several."""
    tags: dict[int, str] = {}
    for group in groups:
        if group.status is not None and group.tag != tags.setdefault(group.status, group.tag):
            return None
    return tags


def is_failure(code: int) -> bool:
    """Whether a host code is the end of a host, and not a good one."""
    status = host_status(code)
    return status.is_finished and not status.is_success
