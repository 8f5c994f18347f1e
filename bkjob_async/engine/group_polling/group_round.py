"""Group counts of a large step, and one round of reading the groups that changed.

The platform lists the hosts of a step in groups: one group for each status and tag, with the number of its hosts. The
*counts* are these numbers, as a mapping {(status, tag): hosts}.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec import Struct

from bkjob_async.engine.host_table.columns import NOT_SEEN, UNENCODABLE, small_code
from bkjob_async.engine.host_table.table import HostTable
from bkjob_async.model.poll_view import GroupPollView

WAITING, RUNNING = 5, 7
GroupKey = tuple[int, str]
GroupCounts = Mapping[GroupKey, int]

_REMOVE_WAITING = bytes.maketrans(bytes((small_code(WAITING),)), bytes((NOT_SEEN,)))


def group_key(group: GroupPollView) -> GroupKey | None:
    """Return a group's status and tag, None for a group without a status."""
    return None if group.status is None else (group.status, group.tag)


def count_groups(groups: Iterable[GroupPollView]) -> dict[GroupKey, int]:
    """Return the counts of *groups*, empty where two groups have one key or a number is impossible."""
    counts: dict[GroupKey, int] = {}
    for group in groups:
        key = group_key(group)
        if key is None or key in counts or group.size < 0:
            return {}
        if group.size:
            counts[key] = group.size
    return counts


def changed_statuses(
    table: HostTable, counts: GroupCounts, last_counts: GroupCounts | None = None
) -> dict[int, int] | None:
    """Return the growth of each status that hosts may have entered or left; None where the counts are contradictory.

    The counts must add up to the hosts of the *table*, and no final status may shrink. Hosts pass through `RUNNING`:
    when anything changed, other hosts than before may be running, even where their number is the same. So `RUNNING` is
    returned with a growth of 0 then. *last_counts* are counts that the table agrees with; they spare counting it.
    Counts of a status that the table cannot encode are not used, either.
    """
    if not table.is_countable or sum(counts.values()) != table.size:
        return None
    if any(small_code(status) == UNENCODABLE for status, _ in counts):
        return None
    totals = count_statuses(counts)
    last_totals = None if last_counts is None else count_statuses(last_counts)
    known = {
        status: table.statuses.count(status) if last_totals is None else last_totals.get(status, 0)
        for status in totals
    }
    growth = {status: total - known[status] for status, total in totals.items() if total != known[status]}
    some_are_missing = sum(known.values()) != table.size
    if some_are_missing or any(
        change < 0 for status, change in growth.items() if status not in (WAITING, RUNNING)
    ):
        return None
    if growth and (known[RUNNING] or totals[RUNNING]):
        growth.setdefault(RUNNING, 0)
    if growth.get(WAITING, 0) > 0:
        return None
    return growth


def count_statuses(counts: GroupCounts) -> dict[int, int]:
    """Return the number of hosts under each status, whatever their tags."""
    totals = {WAITING: 0, RUNNING: 0}
    for (status, _), size in counts.items():
        totals[status] = totals.get(status, 0) + size
    return totals


def read_order(counts: GroupCounts, changed: Container[int]) -> list[GroupKey]:
    """Return the groups whose status has *changed*, in the order of reading; the last, the largest, is inferred.

    Running hosts are read first: so those that end meanwhile are not taken for those that ended before. The others go
    from the smallest to the largest. A group that `GroupRound.skip_waiting_group` may spare comes after them, just
    before the last.
    """
    groups = sorted((key for key in counts if key[0] in changed), key=counts.__getitem__)
    groups[:-1] = sorted(groups[:-1], key=lambda key: key[0] != RUNNING)
    spared = next((key for key in groups[-2::-1] if are_waiting_and_final(key, groups[-1])), None)
    if spared is not None:
        groups.remove(spared)
        groups.insert(len(groups) - 1, spared)
    return groups


def surely_read_of(order: Sequence[GroupKey]) -> Sequence[GroupKey]:
    """Return the groups in a `read_order` that a round reads in any case: neither the last, nor one that it may be spared."""
    can_skip = len(order) > 1 and are_waiting_and_final(*order[-2:])
    return order[: -2 if can_skip and any(status == RUNNING for status, _ in order) else -1]


def are_waiting_and_final(one: GroupKey, other: GroupKey) -> bool:
    """Return whether one group has waiting hosts and the other hosts with a final status."""
    return (one[0] == WAITING) != (other[0] == WAITING) and RUNNING not in (one[0], other[0])


class GroupRound(Struct):
    """One poll of a large step by several requests: counts first, then one group after the other.

    *counts* are those that the round began with, *statuses* the statuses that changed. *to_read* are the groups still to
    be read, *inferred* is the group that is never read. *unlisted* has a byte for each place of the table: the status
    that a host had if it may have changed and no response of the round listed it yet, else 0. They are as many as the counts
    say of the groups that were not read.

    *listed* are the groups that were read. *has_moves*: hosts moved since the round began, so that *counts* are not those
    of its last response. *is_partial*: nothing is inferred, because a group that was read has grown since.
    """

    counts: GroupCounts
    statuses: frozenset[int]
    to_read: list[GroupKey]
    inferred: GroupKey
    unlisted: bytearray
    listed: frozenset[GroupKey] = frozenset()
    has_moves: bool = False
    is_partial: bool = False

    @classmethod
    def begin(cls, table: HostTable, counts: GroupCounts, growth: Mapping[int, int]) -> GroupRound:
        """Return a round for the statuses in *growth*, of which there is one at least."""
        order = read_order(counts, growth)
        return cls(counts, frozenset(growth), order[:-1], order[-1], table.statuses.masked(growth))

    def mark_listed(self, key: GroupKey, places: Sequence[int]) -> None:
        """Record that the whole group *key* was listed, with the hosts at *places*."""
        self.to_read.remove(key)
        self.listed |= {key}
        unlisted = self.unlisted
        for place in places:
            unlisted[place] = NOT_SEEN

    def skip_waiting_group(self) -> None:
        """Read no further where a waiting and a final group are left, and nobody has left the waiting one.

        No host returns to waiting. Where the hosts that waited before and were not listed since are as many as are
        counted as waiting now, they are the same hosts; all others must be in the final group.
        """
        if len(self.to_read) != 1:
            return
        one, other = self.to_read[0], self.inferred
        if not are_waiting_and_final(one, other):
            return
        waiting, final = (one, other) if one[0] == WAITING else (other, one)
        if self.unlisted.count(small_code(WAITING)) == self.counts[waiting]:
            self.unlisted = self.unlisted.translate(_REMOVE_WAITING)
            self.to_read, self.inferred = [], final


def may_lead_to(status: int, befores: bytes) -> bool:
    """Return whether hosts with these statuses, as bytes, may have *status* now: statuses only move forward."""
    allowed = {WAITING} if status == WAITING else {WAITING, RUNNING, status}
    return {*befores} <= set(map(small_code, allowed))


def continued_round(
    present: GroupRound, table: HostTable, counts: GroupCounts, key: GroupKey, places: Sequence[int]
) -> GroupRound | None:
    """Return the round after the whole group *key*, the hosts at *places*, was listed with other *counts* than before.

    Hosts moved between two responses; *table* has those listed. None where the counts are contradictory.

    An example. The round began with 7: 60, 9: 40, 104: 1, and 104 is to be read, then 9. The list of 104 comes with
    7: 58, 9: 42, 104: 1: it is that of the counts before, and the round goes on. The list of 9 comes with 7: 56, 9: 43,
    104: 2: from now on these counts hold. One host has failed meanwhile, and may be any of those that ran; it still counts
    as running, until the next poll finds it. Where hosts had to be inferred, nobody could say of whom.
    """
    if key[0] not in (WAITING, RUNNING):
        earlier = [place for place in places if present.unlisted[place]]
        if len(earlier) == present.counts[key]:  # all others were listed elsewhere, and have ended since
            present.mark_listed(key, earlier)
            present.has_moves = True
            return present
    growth = changed_statuses(table, counts)
    if growth is None:
        return None
    if not growth:
        return GroupRound(counts, frozenset(), [], key, bytearray(), has_moves=True, is_partial=True)
    found = GroupRound.begin(table, counts, growth)
    found.has_moves = True
    if key in found.to_read:
        found.mark_listed(key, places)
    found.listed |= present.listed | {key}
    unread = [each for each in found.to_read if each not in found.listed]
    if len(unread) < len(found.to_read):
        if WAITING in growth or found.inferred[0] != RUNNING:
            return None
        found.to_read, found.is_partial = unread, True
    return found
