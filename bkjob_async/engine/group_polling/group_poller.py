"""What group counts prove of a large step, and which of its groups must be read.

Statuses only move forward within one execution: waiting (5), running (7), over. So a step whose groups count as many
hosts as are known under each status has not moved at all; a final status that did not grow has the same hosts as
before; and when all groups that changed are read but one, the rest of their hosts stand in that one. Hosts go on from
waiting, and none come back: where all that left it were listed elsewhere, the others still wait, and a second group need
not be read. This holds only while answers agree with each other; whatever does not add up is thrown away, and the step
is read in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from weakref import ReferenceType, ref

from attrs import frozen

from bkjob_async.engine.group_polling.group_counts import (
    RUNNING,
    WAITING,
    Group,
    Told,
    group_of,
    moved_codes,
    told_by,
)
from bkjob_async.engine.group_polling.group_round import Round, are_ends, reading_order
from bkjob_async.engine.host_table.changes import Moves, Taken
from bkjob_async.engine.host_table.encoding import NOT_SEEN, small_code
from bkjob_async.engine.host_table.id_index import IdIndex, picked
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.engine.stream.lazy_events import LazyHostEvents
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.poll_view import GroupPollView

# Up to so many hosts, one answer with all of them is as cheap as their counts, and the platform reads it at once.
LARGE_STEP = 100

# Moves may collect until reading them brings this share of news, but no longer than for so many looks.
THETA = 0.20
LONGEST_COLLECTING = 5

# A step is read in full now and then, should anything have moved that counts cannot tell. (seconds)
AUDIT_INTERVAL = 600.0

# What finds hosts quickly is kept between moves for so many quiet looks.
LONGEST_PAUSE = 8

# After answers that did not add up, so many looks at most are read in full before counts are trusted again.
LONGEST_DISTRUST = 16


@frozen
class SingleGroup:
    """The hosts of one group are asked for, by its status and tag."""

    status: int
    tag: str


@frozen
class CountsOnly:
    """The groups' sizes are asked for, and no more than *limit* hosts of each."""

    limit: int = 1


ReadMode = SingleGroup | CountsOnly | None
"""How a step is read; None in full."""

COUNTS_ONLY = CountsOnly()


def is_large(hosts: int) -> bool:
    """Whether so many hosts are better counted than read."""
    return hosts > LARGE_STEP


def read_mode_of(question: GetStepInstanceStatus) -> ReadMode:
    """Return how *question* reads a step."""
    if question.status is not None:
        return SingleGroup(question.status, question.tag or "")
    limit = question.max_host_num_per_group
    if limit == COUNTS_ONLY.limit:
        return COUNTS_ONLY
    return None if limit is None else CountsOnly(limit)


class GroupPoller:
    """How a large step is read: by counts, by groups, or in full."""

    __slots__ = (
        "_agreed",
        "_collected",
        "_distrust",
        "_growth",
        "_guesses",
        "_in_full",
        "_in_full_at",
        "_last",
        "_quiet",
        "_second",
        "index",
        "must_reread",
        "round",
    )

    def __init__(self, now: float) -> None:
        self.round: Round | None = None
        self.index: IdIndex | None = None
        self.must_reread = False
        self._agreed: Told | None = None
        self._last: ReferenceType[LazyHostEvents] | None = None
        self._in_full_at = now
        self._collected = self._in_full = self._distrust = self._quiet = 0
        self._second: int | None = None
        self._growth = 0
        self._guesses = False

    # What to ask ----------------------------------------------------------------------------------------------------

    def reading(self, now: float, *, guess: bool) -> ReadMode:
        """Return how the step is to be read; *guess*: by one question rather than by few bytes."""
        if self.must_reread:
            return None
        if self.round is not None:
            return SingleGroup(*self.round.wanted[0])
        if self._in_full or now - self._in_full_at >= AUDIT_INTERVAL:
            return None
        # Enough for all groups that are sure to be read to come whole, should they go on changing as they did.
        self._guesses = guess
        return CountsOnly((self._second or 0) + 2 * self._growth + 1) if guess else COUNTS_ONLY

    @property
    def wants_more(self) -> bool:
        """Whether the present look needs another question."""
        return self.must_reread or self.round is not None

    def give_up(self) -> None:
        """Forget a look that was not brought to its end."""
        self.round = self._agreed = None
        self.must_reread = False

    def hold(self, moves: LazyHostEvents) -> None:
        """Let events of a few hosts wait for a reader, and the answer with them, until the next answer comes."""
        self._last = ref(moves)

    def let_go(self) -> None:
        """Read what events take from the answer before, should nobody have asked for it."""
        moves, self._last = self._last() if self._last is not None else None, None
        if moves is not None:
            moves.let_go()

    # What was answered ----------------------------------------------------------------------------------------------

    def was_read_in_full(self, now: float, groups: Sequence[GroupPollView]) -> None:
        """Take note of an answer with all hosts."""
        self.give_up()
        self.index = None
        self._in_full_at = now
        self._collected = 0
        self._in_full = max(0, self._in_full - 1)
        if self._guesses or self._second is None:
            self._remember(told_by(groups))

    def begin(self, table: HostTable, groups: Sequence[GroupPollView], *, patient: bool) -> bool:
        """Take note of groups' sizes; return whether a round has begun, for hosts moved that are to be read.

        *patient*: few moves may collect for some looks.
        """
        told, agreed = told_by(groups), self._agreed
        if self._agrees(told):
            return False
        self.give_up()
        moved = moved_codes(table, told, agreed)
        if self._guesses:
            self._remember(told)
        if moved is None:
            self.doubt()
            return False
        if not moved:
            self._is_quiet(told)
            return False
        *wanted, rest = reading_order(told, moved)
        self._collected += 1
        if patient and self._collected <= LONGEST_COLLECTING:
            news = sum(max(0, change) for change in moved.values())
            if news < THETA * sum(told[group] for group in wanted):
                return False
        self._quiet = 0
        if self.index is None and wanted:
            self.index = IdIndex(table.names())
        size = sum(told.values()) - sum(size for group, size in told.items() if group[0] not in moved)
        self.round = Round(told, frozenset(moved), wanted, rest, table.standing(moved), size)
        return True

    def stands_as(self, groups: Sequence[GroupPollView]) -> bool:
        """Whether the groups are as large as they were, so that nothing moved; only where no round is under way."""
        return self._agrees(told_by(groups))

    def _agrees(self, told: Told) -> bool:
        if not told or self.wants_more or told != self._agreed:
            return False
        self._growth //= 2
        self._is_quiet(told)
        return True

    def _is_quiet(self, told: Told) -> None:
        """Take note that nothing moved."""
        self._collected = self._distrust = 0
        self._agreed = told
        self._quiet += 1
        if self._quiet >= LONGEST_PAUSE:
            self.index = None

    def take_group(
        self, table: HostTable, groups: Sequence[GroupPollView], asked: SingleGroup, sequence: int
    ) -> Moves | None:
        """Take in the whole of the one group that was *asked* for; None where it takes more than a glance to believe.

        Each of its hosts is known, listed once, and may have moved there.
        """
        present, index, named = self.round, self.index, (asked.status, asked.tag)
        shown = [group for group in groups if group.rows]
        if present is None or index is None or len(shown) != 1 or group_of(shown[0]) != named:
            return None
        rows, left = shown[0].rows or (), present.left
        if named not in present.wanted or len(rows) != shown[0].size or told_by(groups) != present.told:
            return None
        places = table.known_places([row.bk_host_id for row in rows], rows, index)
        if places is None or len(set(places)) != len(places):
            return None
        stood = bytes(picked(left, places))
        if NOT_SEEN in stood:
            return None
        present.strike(named, places)
        return table.enter(places, stood, asked.status, rows, sequence)

    def listed(self, taken: Taken, groups: Sequence[GroupPollView], *, asked: SingleGroup | None) -> None:
        """Take note of the rows of an answer in the present round.

        An answer that disagrees with the sizes that the round began with ends it.
        """
        present = self.round
        if present is None:
            return
        left, begin = present.left, 0
        agrees = taken.each_once and told_by(groups) == present.told
        for group in groups:
            end = begin + len(group.rows or ())
            places = taken.places[begin:end]
            begin = end
            named = group_of(group)
            if not places or named is None or not agrees:
                continue
            if max(places) >= len(left):  # a host that the round did not begin with
                agrees = False
                continue
            stood = bytes(picked(left, places))
            if named[0] not in present.codes:
                agrees = not any(stood)
            elif named in present.wanted and len(places) == group.size:
                agrees = NOT_SEEN not in stood
                present.strike(named, places)
            else:
                small = small_code(named[0])
                for index in compress(places, stood):
                    left[index] = small
        if not agrees or (asked is not None and (asked.status, asked.tag) in present.wanted):
            self.doubt()

    def rest(self) -> tuple[bytearray, Group] | None:
        """End the round when no list is missing: return who must stand in the one group not read, and name it.

        None before, and in doubt.
        """
        present = self.round
        if present is None:
            return None
        present.leave_out_waiting()
        if present.wanted:
            return None
        self.round = None
        code, left = present.rest[0], present.left
        forward = {WAITING} if code == WAITING else {WAITING, RUNNING, code}
        strays = {
            small_code(each) for each in {*present.codes, *(code for code, _ in present.told)} - forward
        }
        if present.size != present.told[present.rest] or any(map(left.__contains__, strays)):
            self.doubt()
            return None
        self._collected = self._distrust = 0
        self._agreed = present.told
        return left, present.rest

    def doubt(self) -> None:
        """Throw away what does not add up; read in full, for longer each time in a row."""
        self.round = self.index = None
        self.must_reread = True
        self._distrust = min(LONGEST_DISTRUST, 2 * self._distrust or 1)
        self._in_full = self._distrust

    def _remember(self, told: Told) -> None:
        """Keep what tells how many hosts of each group to ask for next time."""
        groups = reading_order(told, {code for code, _ in told})
        spared = (
            2
            if len(groups) > 1 and are_ends(*groups[-2:]) and any(code == RUNNING for code, _ in groups)
            else 1
        )
        second = max((told[group] for group in groups[:-spared]), default=0)
        if self._second is not None:
            self._growth = max(self._growth // 2, abs(second - self._second))
        self._second = second
