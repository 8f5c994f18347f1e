"""Polls a large step by group counts: what they prove, and which groups must be read.

An example. A step has 1000 hosts; all of them were running (7) at the last poll:

    request   the counts, and one host of each group at most
    response  7: 700 hosts, 9: 290 hosts, 104: 10 hosts
    inferred  the statuses 7, 9 and 104 have changed; 700 is the largest group, so it is never read
    request   all hosts of group 104         10 hosts are listed: 7 -> 104
    request   all hosts of group 9           290 hosts are listed: 7 -> 9
    inferred  the 700 hosts that no response listed are those of group 7: they have not changed
    request   (next poll) the counts again
    response  7: 700, 9: 290, 104: 10        the same counts: nothing has changed, the poll is over
    response  7: 700, 9: 280, 104: 10        or: 9 shrank and 10 hosts are missing; this cannot be true, so what the
                                             round knows is thrown away and the next request reads all hosts
    response  7: 690, 9: 300, 104: 10        or: 10 hosts have moved; group 9 is requested
    request   (next poll) all hosts of group 9, with the counts: after changes in two polls there are likely to be more

The proofs need one fact of the platform: within an execution a host's status only moves forward, from waiting (5) to
running (7) to a final status. So:

* Equal counts mean that no status has changed. A final status that did not grow has the same hosts as before.
* When all changed groups but one are read, the remaining hosts of the changed statuses are in that one.
* No host returns to waiting. When those that left it are all listed, the rest still wait (`skip_waiting_group`).

The responses of a round are given at different times, and hosts move meanwhile: a round goes on with the newest counts where
these explain what was listed (`continued_round`). Any contradiction ends the round and causes a full read; each further one
in a row doubles how many polls are full reads. Two hosts that swap their statuses
would not show in the counts, so the step is read in full every ten minutes as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress

from msgspec import Struct

from bkjob_async.engine.group_polling.group_round import (
    RUNNING,
    WAITING,
    GroupCounts,
    GroupKey,
    GroupRound,
    changed_statuses,
    continued_round,
    count_groups,
    group_key,
    may_lead_to,
    read_order,
    surely_read_of,
)
from bkjob_async.engine.host_table.changes import ApplyResult, StatusChanges
from bkjob_async.engine.host_table.columns import NOT_SEEN, picked, small_code
from bkjob_async.engine.host_table.id_lookups import IdLookups
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.operations.base import GetStepInstanceStatus
from bkjob_async.model.poll_view import GroupPollView, HostRow

# Up to so many hosts, one response with all of them is as cheap as their counts: the platform reads them at once. A larger
# step is better polled by counts.
MAX_FULL_READ_HOSTS = 100

# Changes may be deferred until this share of the hosts to read has changed, but for so many polls at most.
MIN_CHANGED_SHARE = 0.20
MAX_DEFERRED_POLLS = 5

# A step is read in full so often, for changes that do not show in counts. (seconds)
FULL_READ_INTERVAL = 600.0

# After contradictions in a row, at most so many polls are full reads before counts are trusted again.
MAX_DISTRUSTED_POLLS = 16


class SingleGroup(Struct, frozen=True):
    """Read all hosts of one group, named by its status and tag."""

    status: int
    tag: str


class CountsOnly(Struct, frozen=True):
    """Read the counts, and no more than *limit* hosts of each group."""

    limit: int = 1


ReadMode = SingleGroup | CountsOnly | None
"""How one request reads a step; None reads all hosts."""

COUNTS_ONLY = CountsOnly()


def read_mode_of(request: GetStepInstanceStatus) -> ReadMode:
    """Return how *request* reads a step."""
    if request.status is not None:
        return SingleGroup(request.status, request.tag or "")
    limit = request.max_host_num_per_group
    if limit == COUNTS_ONLY.limit:
        return COUNTS_ONLY
    return None if limit is None else CountsOnly(limit)


class GroupPoller:
    """Decides how a large step is read next, and infers what responses prove.

    `round` is the round under way, `needs_full_read` is set after a contradiction.
    """

    __slots__ = (
        "_deferred_polls",
        "_distrusted_polls",
        "_full_read_at",
        "_full_reads_left",
        "_growth",
        "_has_moved",
        "_largest_read",
        "_last_counts",
        "_likely_group",
        "_single_request",
        "needs_full_read",
        "round",
    )

    def __init__(self, now: float) -> None:
        self.round: GroupRound | None = None
        self.needs_full_read = False
        self._last_counts: GroupCounts | None = None
        # Whether the last poll found changes. Where the one before did, too, the next one is likely to, and reads the largest
        # group that the last one surely read.
        self._has_moved = False
        self._likely_group: SingleGroup | None = None
        self._full_read_at = now
        self._deferred_polls = 0
        self._full_reads_left = self._distrusted_polls = 0
        # The largest group that a round surely reads, and by how much it changed: these size the next single request.
        self._largest_read: int | None = None
        self._growth = 0
        self._single_request = False

    # Requests -------------------------------------------------------------------------------------------------------

    def next_read(self, now: float, *, single_request: bool) -> ReadMode:
        """Return how the next request reads the step.

        *single_request*: requests are scarcer than bytes. Counts then come with so many hosts of each group that most
        rounds need no second request.
        """
        if self.needs_full_read:
            return None
        if self.round is not None:
            return SingleGroup(*self.round.to_read[0])
        if self._full_reads_left or now - self._full_read_at >= FULL_READ_INTERVAL:
            return None
        self._single_request = single_request
        if single_request:
            return CountsOnly((self._largest_read or 0) + 2 * self._growth + 1)
        return self._likely_group or COUNTS_ONLY

    @property
    def needs_another_request(self) -> bool:
        """Whether the current poll is not complete without another request."""
        return self.needs_full_read or self.round is not None

    def abandon_round(self) -> None:
        """Forget a round that was not completed, the last counts, and what is likely to change."""
        self.round = self._last_counts = self._likely_group = None
        self.needs_full_read = False

    # Responses ------------------------------------------------------------------------------------------------------

    def on_full_read(self, now: float, groups: Sequence[GroupPollView]) -> None:
        """Record a response with all hosts."""
        self.abandon_round()
        self._full_read_at = now
        self._deferred_polls = 0
        self._full_reads_left = max(0, self._full_reads_left - 1)
        if self._single_request or self._largest_read is None:
            self._record_sizes(count_groups(groups))

    def has_same_counts(self, groups: Sequence[GroupPollView]) -> bool:
        """Return whether the counts are those of the last poll, which proves that nothing changed; False in a round."""
        return self._matches_last(count_groups(groups))

    def begin_round(self, table: HostTable, groups: Sequence[GroupPollView], *, may_defer: bool) -> bool:
        """Compare counts with the *table*; return whether a round begins because hosts have changed.

        *may_defer*: a few changes may wait for later polls, to be read together with others.
        """
        counts, last_counts = count_groups(groups), self._last_counts
        if self._matches_last(counts):
            return False
        self.abandon_round()
        growth = changed_statuses(table, counts, last_counts)
        if self._single_request:
            self._record_sizes(counts)
        if growth is None:
            self.distrust()
            return False
        if not growth:
            self._record_quiet_poll(counts)
            return False
        present = GroupRound.begin(table, counts, growth)
        order = surely_read_of([*present.to_read, present.inferred])
        has_moved, self._has_moved = self._has_moved, True
        if has_moved and order and not may_defer:
            self._likely_group = SingleGroup(*max(order, key=counts.__getitem__))
        self._deferred_polls += 1
        if may_defer and self._deferred_polls <= MAX_DEFERRED_POLLS:
            changed = sum(max(0, change) for change in growth.values())
            if changed < MIN_CHANGED_SHARE * sum(counts[key] for key in present.to_read):
                return False
        self.round = present
        return True

    def _matches_last(self, counts: GroupCounts) -> bool:
        if not counts or self.needs_another_request or counts != self._last_counts:
            return False
        self._growth //= 2
        self._record_quiet_poll(counts)
        return True

    def _record_quiet_poll(self, counts: GroupCounts) -> None:
        self._deferred_polls = self._distrusted_polls = 0
        self._last_counts, self._likely_group = counts, None
        self._has_moved = False

    def apply_group(
        self,
        table: HostTable,
        groups: Sequence[GroupPollView],
        requested: SingleGroup,
        sequence: int,
        lookups: IdLookups,
    ) -> StatusChanges | None:
        """Apply the group that was *requested*, the fast path of a round; None where the slow path is needed.

        It is the whole group, each of its hosts is known, listed once, and may have come there. Where hosts moved since
        the round began, it goes on with what they leave of it.
        """
        present, key = self.round, (requested.status, requested.tag)
        listed = self._whole_list(table, groups, key, lookups)
        if present is None or listed is None:
            return None
        rows, places = listed
        counts = count_groups(groups)
        if counts == present.counts:
            before = bytes(picked(present.unlisted, places))
            if NOT_SEEN in before:
                return None
            present.mark_listed(key, places)
            return table.set_status(places, before, requested.status, rows, sequence)
        before = table.statuses.at(places)
        if not may_lead_to(requested.status, before):
            return None
        moves = table.set_status(places, before, requested.status, rows, sequence)
        self.round = continued_round(present, table, counts, key, places)
        if self.round is None:
            self.distrust()
        return moves

    def _whole_list(
        self, table: HostTable, groups: Sequence[GroupPollView], key: GroupKey, lookups: IdLookups
    ) -> tuple[Sequence[HostRow], Sequence[int]] | None:
        """Return the rows and places of the group *key*, which is to be read; None where other hosts may be in it."""
        listed = [group for group in groups if group.rows]
        if self.round is None or len(listed) != 1:
            return None
        rows = listed[0].rows or ()
        if group_key(listed[0]) != key or key not in self.round.to_read or len(rows) != listed[0].size:
            return None
        places = table.known_places([row.bk_host_id for row in rows], rows, lookups)
        return None if places is None or len(set(places)) != len(places) else (rows, places)

    def record_rows(
        self, applied: ApplyResult, groups: Sequence[GroupPollView], *, requested: SingleGroup | None
    ) -> None:
        """Record in the round which hosts a response listed; a contradiction to its counts ends it.

        *applied* is what the table made of the rows. *requested* is the group that was to be listed, if any.
        """
        present = self.round
        if present is None:
            return
        unlisted, begin = present.unlisted, 0
        agrees = applied.each_once and count_groups(groups) == present.counts
        for group in groups:
            end = begin + len(group.rows or ())
            places = applied.places[begin:end]
            begin = end
            key = group_key(group)
            if not places or key is None or not agrees:
                continue
            if max(places) >= len(unlisted):  # a host that was unknown when the round began
                agrees = False
                continue
            before = bytes(picked(unlisted, places))
            if key[0] not in present.statuses:
                agrees = not any(before)
            elif key in present.to_read and len(places) == group.size:
                agrees = NOT_SEEN not in before
                present.mark_listed(key, places)
            else:
                small = small_code(key[0])
                for place in compress(places, before):
                    unlisted[place] = small
        if not agrees or (requested is not None and (requested.status, requested.tag) in present.to_read):
            self.distrust()

    def infer_remaining(self) -> tuple[bytearray, GroupKey] | None:
        """End the round if all groups to read are read: return the unlisted hosts, and the group they must be in.

        The hosts are returned as `GroupRound.unlisted`. None while a group is missing, and after a contradiction.
        """
        present = self.round
        if present is None:
            return None
        present.skip_waiting_group()
        if present.to_read:
            return None
        self.round = None
        if present.is_partial:
            self._end_round(None)
            return None
        status, unlisted = present.inferred[0], present.unlisted
        may_lead_here = {WAITING} if status == WAITING else {WAITING, RUNNING, status}
        impossible = {
            small_code(each)
            for each in {*present.statuses, *(other for other, _ in present.counts)} - may_lead_here
        }
        if any(map(unlisted.__contains__, impossible)):
            self.distrust()
            return None
        self._end_round(None if present.has_moves else present.counts)
        return unlisted, present.inferred

    def _end_round(self, counts: GroupCounts | None) -> None:
        """Record that a round is over; *counts* are those that the table agrees with, if any."""
        self._deferred_polls = self._distrusted_polls = 0
        self._last_counts = counts

    def distrust(self) -> None:
        """Throw the round away and read in full, for twice as many polls as after the last contradiction in a row."""
        self.round = None
        self.needs_full_read = True
        self._distrusted_polls = min(MAX_DISTRUSTED_POLLS, 2 * self._distrusted_polls or 1)
        self._full_reads_left = self._distrusted_polls

    def _record_sizes(self, counts: GroupCounts) -> None:
        """Record the largest group that a round surely reads; the next single request asks for so many hosts."""
        groups = read_order(counts, {status for status, _ in counts})
        largest = max((counts[key] for key in surely_read_of(groups)), default=0)
        if self._largest_read is not None:
            self._growth = max(self._growth // 2, abs(largest - self._largest_read))
        self._largest_read = largest
